"""Phim, Orthanc, storescp and a bare loop, measured side by side on one machine in one run."""
