// The whole way in, and the way from stored bytes to the attributes of an answer.

import Benchmark
import Catalog
import DICOMCore
import Retrieval

func arrivalBenchmarks() {
    for (size, label) in [(16 << 10, "16KiB"), (516 << 10, "516KiB")] {
        micro("Ingest-\(label)", writes: true) {
            try ArchiveBench()
        } prepare: { _, run in
            (number: run, dataSet: Slices.dataSet(run, size: size))
        } operation: { bench, slice in
            try bench.receive(slice.dataSet, number: slice.number)
        }
    }
}

func metadataBenchmarks() {
    micro("Retrieval-metadata-10") {
        try MetadataBench()
    } operation: { bench in
        for instance in bench.instances { blackHole(try bench.answer(instance)) }
    }
}

/// Ten stored slices of one series, and what a viewer wants to know of each before it loads any.
private final class MetadataBench {
    private let archive: ArchiveBench
    private let retrieval: InstanceRetrieval
    let instances: [StoredInstance]

    private static let keys = [
        "SOPClassUID", "SOPInstanceUID", "StudyDate", "Modality", "StudyDescription", "SeriesDescription",
        "PatientName",
        "PatientID", "SliceThickness", "KVP", "ConvolutionKernel", "StudyInstanceUID", "SeriesInstanceUID",
        "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient", "FrameOfReferenceUID", "SliceLocation",
        "Rows", "Columns", "PixelSpacing", "BitsStored", "WindowCenter", "WindowWidth", "RescaleIntercept",
        "RescaleSlope", "SourceImageSequence",
    ].compactMap(DataDictionary.tag(keyword:))

    init() throws {
        archive = try ArchiveBench()
        for number in 0..<10 { try archive.receive(Slices.dataSet(number, size: 516 << 10), number: number) }
        // Nothing here is converted, so no worker is ever started.
        retrieval = InstanceRetrieval(volumes: archive.volumes, converter: Converter(executable: "", scratch: ""))
        instances = try archive.catalog.instances(Scope(seriesUIDs: [UIDs.series(0)]))
        guard instances.count == 10 else { throw BenchmarkFailure.unexpectedOutcome }
    }

    /// Reads the header from the volume and writes the wanted attributes as C-FIND answers them.
    func answer(_ instance: StoredInstance) throws -> [UInt8] {
        let header = try retrieval.header(of: instance)
        var writer = DataSetWriter(transferSyntax: .implicitVRLittleEndian, characterSet: .utf8)
        for key in Self.keys {
            guard let element = header[key] else { throw BenchmarkFailure.unexpectedOutcome }
            writer.put(element, from: header)
        }
        return writer.finish()
    }
}
