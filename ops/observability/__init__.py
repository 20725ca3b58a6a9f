"""What operators run beside medkg: Prometheus, Alertmanager, Grafana, Loki; and checks of it."""
