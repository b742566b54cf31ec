"""What the interop tests share: the archive under test, peers, data, and a raw DICOM wire."""
