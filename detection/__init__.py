"""What watches the region: trail, detection services, notices, alarms, dashboards and event routes."""
