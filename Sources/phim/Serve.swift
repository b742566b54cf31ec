// phim serve: runs the archive.

import Archive
import ArgumentParser
import Foundation
import Logging
import Metrics
import Telemetry

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the archive until SIGTERM or Ctrl-C.",
        discussion: """
            The first start makes the data directory with a commented configuration file, DIR/phim.yaml.
            When the listeners are up, one line of JSON goes to standard output with "dicomPort", "httpPort" and, where \
            these listen, "dicomTLSPort" and "hl7Port"; logs go to standard error. Port 0 picks a free port.
            SIGTERM lets running work finish and exits within 10 seconds.
            """)

    @OptionGroup var options: ArchiveOptions

    @Option(help: ArgumentHelp("Our application entity title.", valueName: "aet"))
    var aeTitle: String?

    @Option(help: ArgumentHelp("Address to listen on for DICOM.", valueName: "host"))
    var dicomHost: String?

    @Option(help: ArgumentHelp("Port to listen on for DICOM (11112).", valueName: "port"))
    var dicomPort: Int?

    @Option(help: ArgumentHelp("Address to listen on for HTTP (127.0.0.1).", valueName: "host"))
    var httpHost: String?

    @Option(help: ArgumentHelp("Port to listen on for HTTP (8080).", valueName: "port"))
    var httpPort: Int?

    @Option(name: .customLong("hl7-port"), help: ArgumentHelp("Port to listen on for HL7 (none).", valueName: "port"))
    var hl7Port: Int?

    @Option(help: ArgumentHelp("Folder of the OHIF viewer, or none.", valueName: "dir"))
    var ohif: String?

    @Option(help: ArgumentHelp("trace, debug, info, notice, warning or error.", valueName: "level"))
    var logLevel: String = "info"

    func run() async throws {
        let registry = PrometheusRegistry()
        MetricsSystem.bootstrap(registry)
        guard let level = Logger.Level(rawValue: logLevel) else {
            throw CannotBegin("--log-level: \(logLevel) is no level")
        }
        LoggingSystem.bootstrap { label in
            var handler = StreamLogHandler.standardError(label: label)
            handler.logLevel = level
            return handler
        }
        let archive: OpenArchive
        do {
            try options.folder.create()
            archive = try OpenArchive(options.folder, configuration: try settings(), logger: Logger(label: "phim"))
        } catch {
            throw Fault.opening(error)
        }
        do {
            try await ArchiveServer(archive: archive, registry: registry).run { server in
                Terminal.print(server.jsonLine)
                Terminal.note(Banner.text(server))
            } first: { account, password in
                Terminal.note(Banner.text(account: account, password: password))
            }
        } catch {
            throw Fault.opening(error)
        }
    }

    /// The file's settings with the command line's on top.
    private func settings() throws -> Configuration {
        var settings = try options.configuration()
        if let aeTitle {
            try DICOMSection.check(aeTitle: aeTitle)
            settings.dicom.aeTitle = aeTitle
        }
        if let dicomHost { settings.dicom.host = dicomHost }
        if let dicomPort { settings.dicom.port = dicomPort }
        if let httpHost { settings.http.host = httpHost }
        if let httpPort { settings.http.port = httpPort }
        if let hl7Port { settings.hl7.port = hl7Port }
        if let ohif { settings.http.ohif = ohif }
        try ViewerLocation(settings.http).check()
        for (name, port) in [
            ("--dicom-port", settings.dicom.port), ("--http-port", settings.http.port),
            ("--hl7-port", settings.hl7.port ?? 0),
        ]
        where !(0...65_535).contains(port) {
            throw ConfigurationError("\(name): \(port) is not 0 to 65535")
        }
        return settings
    }
}

/// What a person sees when the server is up.
enum Banner {
    static func text(account: String, password: String) -> String {
        """
              This archive is new: sign in with the account made for it. The password is shown this once.

                account   \(account)
                password  \(password)

              Another one later: phim account password \(account) --data DIR

        """
    }

    static func text(_ server: RunningServer) -> String {
        // As it was called, so that the lines can be copied.
        let program = CommandLine.arguments[0]
        let host = server.dicomHost == "0.0.0.0" ? "all addresses of this machine" : server.dicomHost
        return """

            Phim \(server.version) is running.

              DICOM     AE title \(server.aeTitle), port \(server.dicomPort), \(host)
              HTTP      \(server.httpScheme)://\(server.httpHost):\(server.httpPort)/
              Data      \(server.data)
              Settings  \(server.data)/phim.yaml

              Send a first study from this machine (dcmsend is in Debian's package dcmtk):
                dcmsend -aec \(server.aeTitle) 127.0.0.1 \(server.dicomPort) --scan-directories FOLDER
              or bring in files, folders, zip files or discs:
                \(program) import --data \(server.data) FOLDER
              See what is there:
                \(program) find --data \(server.data)
              Let another machine send (no restart needed):
                \(program) peer add NAME --ae-title AET --host HOST --port PORT --data \(server.data)

              Stop with Ctrl-C, or: kill \(server.pid)

            """
    }
}
