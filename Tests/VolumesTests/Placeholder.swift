enum PlaceholderVolumesTests {}
