// Who reads the metrics: programs of this machine, and tokens of administrators and integrations.

import Access
import Hummingbird
import Web

enum MetricsAccess {
    static func allows(_ request: Request, _ context: WebRequestContext) -> Bool {
        if let caller = context.caller { return !caller.roles.isDisjoint(with: [.administrator, .integration]) }
        // What a proxy on this machine passes on is not of this machine.
        guard request.headers[.xForwardedFor] == nil, request.headers[.authorization] == nil else { return false }
        let address = context.remoteAddress?.ipAddress ?? ""
        return address.hasPrefix("127.") || address == "::1" || address.hasPrefix("::ffff:127.")
    }
}
