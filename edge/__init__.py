"""What faces the internet beside the nodes: load balancers, and the web application firewall before each."""
