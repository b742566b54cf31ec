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
let sqlite: Target.Dependency = .product(name: "GRDBSQLite", package: "GRDB.swift")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let nio: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")

func room(
    _ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil, resources: [Resource] = []
) -> Target {
    .target(name: name, dependencies: dependencies, path: path, resources: resources, swiftSettings: house)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: house)
}

// Benchmarks are part of this package, because rooms are `package` to each other; what they need is resolved and built
// only when PHIM_BENCHMARKS is set, so that nobody else pays for it.
let withBenchmarks = Context.environment["PHIM_BENCHMARKS"] != nil
let benchmarkPackages: [Package.Dependency] =
    withBenchmarks ? [.package(url: "https://github.com/ordo-one/benchmark.git", from: "1.38.1", traits: [])] : []
let benchmarks: [Target] =
    withBenchmarks
    ? [
        // Counts what the process allocates: the traits that would count it draw in packages of their own.
        .target(name: "CAllocations", path: "Benchmarks/Micro/CAllocations"),
        .executableTarget(
            name: "Micro",
            dependencies: [
                "CAllocations", "DICOMCore", "Volumes", "Catalog", "Ingest", "Retrieval", logging,
                .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/Micro",
            exclude: ["CAllocations", "README.md", "Thresholds"],
            swiftSettings: house,
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        ),
        .executableTarget(
            name: "phim-bench",
            dependencies: [
                "DICOMCore", "DICOMNetwork", "Volumes", "Catalog", "Ingest", "Archive", "Records", "Encounters",
                "DIMSEServer", logging, hummingbird,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/Engine",
            swiftSettings: house
        ),
    ] : []

let package = Package(
    name: "phim",
    products: [.executable(name: "phim", targets: ["phim"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto.git", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics.git", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/groue/GRDB.swift.git", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird.git", from: "2.28.0", traits: []),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.0"),
        .package(url: "https://github.com/apple/swift-http-types.git", from: "1.5.0"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client.git", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle.git", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit.git", from: "5.7.0"),
    ] + benchmarkPackages,
    targets: [
        // Layer 0: values and bytes.
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CLinux"),
        room("DICOMCore", ["CZlib", crypto]),
        room("HL7"),
        room("Telemetry", [.product(name: "CoreMetrics", package: "swift-metrics")]),

        // Layer 1: the DICOM toolkit. Only CDCMTK includes DCMTK headers, only DICOMToolkit imports CDCMTK.
        .target(
            name: "CDCMTK",
            linkerSettings: [
                .linkedLibrary("dcmnet"), .linkedLibrary("dcmjpeg"), .linkedLibrary("dcmdata"), .linkedLibrary("oflog"),
                .linkedLibrary("ofstd"), .linkedLibrary("ssl"), .linkedLibrary("crypto"),
            ]
        ),
        room("DICOMToolkit", ["CDCMTK"]),
        room("DICOMNetwork", ["DICOMToolkit"]),
        room("Deidentification", ["DICOMCore", crypto]),
        // Image codecs that DCMTK does not bring: OpenJPEG, OpenJPH, CharLS, libjpeg-turbo, libpng, giflib, FreeType.
        .target(
            name: "CImageCodecs",
            cxxSettings: [.unsafeFlags(["-I/usr/include/freetype2"])],
            linkerSettings: [
                .linkedLibrary("openjp2"), .linkedLibrary("openjph"), .linkedLibrary("charls"), .linkedLibrary("jpeg"),
                .linkedLibrary("png16"), .linkedLibrary("gif"), .linkedLibrary("freetype"),
            ]
        ),
        room("DICOMImaging", ["DICOMCore", "DICOMToolkit", "CImageCodecs", "CZlib", "CLinux", metrics]),

        // Layer 2: persistence.
        room("Volumes", ["CLinux", crypto], path: "Storage/Volumes"),
        room("Catalog", ["DICOMCore", "Volumes", grdb, sqlite], path: "Storage/Catalog"),
        room("Records", [grdb, crypto], path: "Storage/Records"),

        // Layer 3: services; none knows DIMSE or HTTP codes.
        room("Ingest", ["DICOMCore", "Volumes", "Catalog", crypto, logging, metrics]),
        room("Retrieval", ["CLinux", "DICOMCore", "DICOMImaging", "Volumes", "Catalog", "CZlib", crypto]),
        room(
            "Access",
            [
                "Records", crypto, .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"), logging,
            ]),
        room("Encounters", ["DICOMCore", "Catalog", "Records", logging]),
        room("Media", ["DICOMCore", "DICOMToolkit", "CArchive", "Ingest", "Retrieval", "Catalog", crypto]),

        room(
            "Forwarding",
            [
                "DICOMCore", "Deidentification", "Volumes", "Catalog", "Records", "Ingest", "Retrieval", "Encounters",
                nioPosix, lifecycle, logging,
                metrics,
            ]),

        room("LineCoding", ["DICOMCore", "DICOMImaging", "Retrieval", crypto, metrics]),

        // Layer 4: edges translate, call, answer.
        room(
            "DIMSEServer",
            [
                "DICOMCore", "DICOMImaging", "DICOMNetwork", "Catalog", "Records", "Ingest", "Retrieval", "Access",
                "Encounters", "Forwarding", lifecycle, logging, metrics,
            ]),
        room(
            "Web",
            [
                "CLinux", "Access", hummingbird, httpTypes, nio, nioPosix, logging, metrics,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        room(
            "DICOMweb",
            [
                "DICOMCore", "DICOMImaging", "Catalog", "Ingest", "Retrieval", "Access", "Web", "CArchive",
                crypto, hummingbird, httpTypes, nio, logging,
            ]),
        room(
            "WebForwarding",
            [
                "DICOMCore", "Catalog", "Records", "Ingest", "Retrieval", "Encounters", "Forwarding", "Web", nio,
                nioHTTP1,
                nioPosix,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        room(
            "FHIR",
            [
                "DICOMCore", "Catalog", "Records", "Retrieval", "Encounters", "Access", "Web", crypto, hummingbird,
                httpTypes,
            ]),
        room(
            "Interop",
            [
                "HL7", "DICOMCore", "DICOMImaging", "Catalog", "Records", "Retrieval", "Encounters", "Web", crypto, nio,
                nioHTTP1, nioPosix, lifecycle, logging, metrics,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOExtras", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"), .product(name: "NIOTLS", package: "swift-nio"),
            ]),
        room(
            "Exchange",
            [
                "DICOMCore", "DICOMImaging", "Volumes", "Catalog", "Records", "Ingest", "Retrieval", "Access",
                "Encounters",
                "LineCoding", "Forwarding", "Web", crypto, hummingbird, httpTypes, nio, nioHTTP1, nioPosix, lifecycle,
                logging,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "JWTKit", package: "jwt-kit"), .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        room(
            "Portal",
            [
                "DICOMCore", "Volumes", "Catalog", "Records", "Retrieval", "Access", "Encounters", "Web", "DICOMweb",
                "DIMSEServer", "Interop", "FHIR", "Forwarding", "Exchange", "CZlib",
                crypto, hummingbird, hummingbirdCore, nio, lifecycle, logging, metrics,
                .product(name: "HummingbirdHTTP2", package: "hummingbird"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"), .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"), nioHTTP1, httpTypes,
            ],
            // The first page's files and the description of the API are part of the one program.
            resources: [.embedInCode("Site"), .embedInCode("OpenAPI")]),

        // Layer 5: configuration, wiring, command line.
        room(
            "Archive",
            [
                "DICOMCore", "DICOMNetwork", "Volumes", "Catalog", "Records", "Ingest", "Retrieval", "DIMSEServer",
                "Access", "Encounters", "Forwarding", "WebForwarding", "Deidentification", "LineCoding", "Exchange",
                "HL7",
                "Interop", "Web", "DICOMweb", "FHIR", "Portal", "Telemetry", "CLinux", "Yams", lifecycle, signals,
                logging, metrics, .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        .executableTarget(
            name: "phim",
            dependencies: [
                "Archive", "Access", "HL7", "Interop", "DICOMCore", "DICOMImaging", "Volumes", "Catalog", "Records",
                "Ingest", "Retrieval", "Media", "Encounters", "Forwarding", "Exchange",
                "DIMSEServer", "Telemetry", logging, metrics,
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: house
        ),

        // What tests share: files and a database whose calls fail on demand.
        .target(name: "CFaultySQLite", path: "Tests/CFaultySQLite", linkerSettings: [.linkedLibrary("sqlite3")]),
        room("FaultInjection", ["Volumes", "CFaultySQLite"], path: "Tests/FaultInjection"),

        tests("DICOMCoreTests", ["DICOMCore"]),
        tests("HL7Tests", ["HL7"]),
        tests(
            "InteropTests",
            [
                "HL7", "Interop", nio, nioPosix, lifecycle, logging,
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        tests("DeidentificationTests", ["Deidentification", "DICOMCore"]),
        tests("DICOMNetworkTests", ["DICOMNetwork", "DICOMToolkit"]),
        tests(
            "DIMSEServerTests",
            [
                "DIMSEServer", "DICOMNetwork", "DICOMCore", "Encounters", "Records", "Forwarding", "Catalog", "Volumes",
                "Ingest", "Retrieval", logging,
            ]),
        tests("VolumesTests", ["Volumes", "FaultInjection", crypto]),
        tests("CatalogTests", ["Catalog", "Records", "Volumes", "DICOMCore", grdb]),
        tests(
            "EncountersTests",
            ["Encounters", "Interop", "HL7", "Records", "Catalog", "DICOMCore", grdb, logging]),
        tests(
            "ForwardingTests",
            ["Forwarding", "Encounters", "Records", "Catalog", "Volumes", "Ingest", "DICOMCore", logging]),
        tests("FHIRTests", ["FHIR"]),
        tests("IngestTests", ["Ingest", "Catalog", "Volumes", "DICOMCore", "FaultInjection", crypto, logging]),
        tests(
            "MediaTests",
            ["Media", "Ingest", "Retrieval", "Catalog", "Volumes", "DICOMCore", "CArchive", crypto, logging]),
        tests("ArchiveTests", ["Access", "Archive", "DICOMCore", "Forwarding", "Records"]),
        tests("LineCodingTests", ["LineCoding", "DICOMImaging", "DICOMCore", crypto]),
        tests("ExchangeTests", ["Exchange", crypto]),
        tests("DICOMImagingTests", ["DICOMImaging", "DICOMCore"]),
        tests("AccessTests", ["Access", "Records", crypto, grdb, logging]),
        tests(
            "WebForwardingTests",
            [
                "WebForwarding", "Forwarding", "Encounters", "Records", "Catalog", "Volumes", "Ingest", "Retrieval",
                "Deidentification", "DICOMCore", "Web", hummingbird, nio, logging,
            ]),
        tests("WebTests", ["Web", hummingbird, httpTypes, nio]),
        tests("RetrievalTests", ["Catalog", "CZlib", "Retrieval"]),
        tests(
            "DICOMwebTests",
            [
                "DICOMweb", "Web", "Access", "Retrieval", "Ingest", "Catalog", "Volumes", "DICOMCore", "FaultInjection",
                logging,
                hummingbird, .product(name: "HummingbirdTesting", package: "hummingbird"),
            ]),
        tests(
            "PortalTests",
            [
                "Portal", "Web", "Access", "Records", "Catalog", "Volumes", "Retrieval", "Encounters", "Interop",
                "Exchange", "Forwarding", "Ingest", "LineCoding", logging,
                hummingbird, nio, .product(name: "HummingbirdTesting", package: "hummingbird"),
            ]),
        tests("TelemetryTests", ["Telemetry", .product(name: "CoreMetrics", package: "swift-metrics")]),
    ] + benchmarks,
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)
