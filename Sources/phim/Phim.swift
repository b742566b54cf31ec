// The command line's root.

import Archive
import ArgumentParser
import Glibc

/// Names the subcommands in the order in which a newcomer meets them.
@main
struct Phim: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "phim",
        abstract: "Imaging archive server: receives, keeps, finds and gives back studies over DICOM.",
        discussion: """
            First steps:
              phim serve --data ~/phim-data            start an archive
              phim import --data ~/phim-data FOLDER    bring in files, folders, zip files or discs
              phim find --data ~/phim-data             list what is there
              phim peer add ct1 --ae-title CT1 --host 192.0.2.10 --port 104 --data ~/phim-data

            Every command works while the server runs.
            Exit status: 0 done; 1 done, but something was refused, missing or failed; 2 could not begin; \
            64 the command line itself is wrong.
            """,
        version: Version.current,
        subcommands: [
            Serve.self, Import.self, Export.self, Find.self, Send.self, Fetch.self, Status.self, Top.self, Verify.self,
            RebuildIndex.self, Delete.self, Conflict.self, OrderCommand.self, PatientCommand.self, WorklistCommand.self,
            InboxCommand.self, StudyCommand.self, FacilityCommand.self, MessageCommand.self, NoticeCommand.self,
            DestinationCommand.self, RouteCommand.self, OutboxCommand.self, FleetCommand.self, PurgeCommand.self,
            CommitmentCommand.self,
            PeerCommand.self, AccountCommand.self, TokenCommand.self,
            AuditCommand.self,
            ConformanceStatementCommand.self,
            Render.self, Transcode.self, CodecWorker.self,
        ])

    static func main() async {
        // A reader or a peer that goes away while we write must cost its own output, not the process.
        signal(SIGPIPE, SIG_IGN)
        await main(nil)
        guard Terminal.hasLostOutput else { return }
        Terminal.error("not all of the output could be written")
        exit(withError: ExitStatus.incomplete)
    }
}
