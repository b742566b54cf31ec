// swift-tools-version: 6.2
import PackageDescription

/// One settings list for every Swift target: Swift 6 mode, strict memory safety, warnings are errors.
let house: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

func room(_ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: house)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: house)
}

let package = Package(
    name: "phim",
    products: [.executable(name: "phim", targets: ["phim"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.0", traits: []),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
    ],
    targets: [
        // Layer 0: values and bytes.
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CLinux"),
        room("DICOMCore", ["CZlib", crypto]),
        room("Telemetry", [.product(name: "CoreMetrics", package: "swift-metrics")]),

        // Layer 1: the DICOM toolkit. Only CDCMTK includes DCMTK headers, only DICOMToolkit imports CDCMTK.
        .target(
            name: "CDCMTK",
            linkerSettings: [
                .linkedLibrary("dcmnet"), .linkedLibrary("dcmjpeg"), .linkedLibrary("dcmjpls"),
                .linkedLibrary("dcmdata"), .linkedLibrary("oflog"), .linkedLibrary("ofstd"), .linkedLibrary("openjp2"),
            ]
        ),
        room("DICOMToolkit", ["CDCMTK"]),
        room("DICOMNetwork", ["DICOMToolkit"]),

        // Layer 2: persistence.
        room("Volumes", ["CLinux", crypto], path: "Storage/Volumes"),
        room("Catalog", ["DICOMCore", "Volumes", grdb], path: "Storage/Catalog"),
        room("Records", [grdb], path: "Storage/Records"),

        // Layer 3: services; none knows DIMSE or HTTP codes.
        room("Ingest", ["DICOMCore", "Volumes", "Catalog", crypto, logging, metrics]),
        room("Retrieval", ["DICOMCore", "Volumes", "Catalog"]),
        room("Media", ["DICOMCore", "DICOMToolkit", "CArchive", "Ingest", "Retrieval", "Catalog", crypto]),

        // Layer 4: edges translate, call, answer.
        room(
            "DIMSEServer",
            [
                "DICOMCore", "DICOMNetwork", "Catalog", "Records", "Ingest", "Retrieval", lifecycle, logging, metrics,
            ]),
        room(
            "Portal",
            [
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"), logging,
            ]),

        // Layer 5: configuration, wiring, command line.
        room(
            "Archive",
            [
                "DICOMCore", "DICOMNetwork", "Volumes", "Catalog", "Records", "Ingest", "Retrieval", "DIMSEServer",
                "Portal", "Telemetry", "Yams", lifecycle, signals, logging, metrics,
            ]),
        .executableTarget(
            name: "phim",
            dependencies: [
                "Archive", "DICOMCore", "DICOMToolkit", "Volumes", "Catalog", "Records", "Retrieval", "Media",
                "DIMSEServer", "Telemetry", logging, metrics,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: house
        ),

        tests("DICOMCoreTests", ["DICOMCore"]),
        tests("DICOMNetworkTests", ["DICOMNetwork", "DICOMToolkit"]),
        tests("DIMSEServerTests", ["DIMSEServer", "DICOMNetwork", "DICOMCore"]),
        tests("VolumesTests", ["Volumes", crypto]),
        tests("CatalogTests", ["Catalog", "Records", "Volumes", "DICOMCore", grdb]),
        tests("IngestTests", ["Ingest", "Catalog", "Volumes", "DICOMCore", crypto, logging]),
        tests(
            "MediaTests",
            ["Media", "Ingest", "Retrieval", "Catalog", "Volumes", "DICOMCore", "CArchive", crypto, logging]),
        tests("ArchiveTests", ["Archive", "DICOMCore"]),
        tests("TelemetryTests", ["Telemetry", .product(name: "CoreMetrics", package: "swift-metrics")]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
