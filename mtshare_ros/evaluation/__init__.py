"""Offline: metrics, baselines, reports and benchmarks."""
