enum PlaceholderIngestTests {}
