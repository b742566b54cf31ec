// What a failed deletion says over HTTP.

import HTTPTypes
import Hummingbird
import Ingest
import Logging
import Web

extension Problem {
    static func deletion(_ failure: DeletionFailure, _ services: DICOMwebServices) -> Problem {
        switch failure {
        case .rebuilding:
            return Problem(
                .serviceUnavailable, "The index is being rebuilt; delete when that is done.",
                headers: [.retryAfter: "60"])
        case .catalog(let error): return .catalogue(error, services)
        case .volume(let error):
            services.logger.error("nothing was deleted", metadata: ["failure": "\(error)"])
            return Problem(.internalServerError, "The storage cannot be written; the log of the server says why.")
        }
    }
}
