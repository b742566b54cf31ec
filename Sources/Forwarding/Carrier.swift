// The door to every way out: what a destination is asked, one object at a time.

package import Catalog
package import Encounters
package import Records

/// One object on its way to one destination.
package struct Parcel: Sendable {
    package let shipment: ShipmentRecord
    package let instance: StoredInstance
    /// SOP classes and transfer syntaxes of everything of the study that is still to go: what an association is negotiated
    /// for.
    package let forms: Set<ObjectForm>

    package init(shipment: ShipmentRecord, instance: StoredInstance, forms: Set<ObjectForm>) {
        self.shipment = shipment
        self.instance = instance
        self.forms = forms
    }
}

/// A SOP class in a transfer syntax.
package struct ObjectForm: Hashable, Sendable {
    package let sopClassUID: String
    package let transferSyntaxUID: String

    package init(sopClassUID: String, transferSyntaxUID: String) {
        self.sopClassUID = sopClassUID
        self.transferSyntaxUID = transferSyntaxUID
    }
}

/// What became of one object, and what it cost.
package struct ParcelOutcome: Sendable {
    package let outcome: DeliveryOutcome
    /// Octets that went over the line for it, as far as this side can count them.
    package let lineOctets: Int64
    /// Whether what was taken is known to be what is stored here: not corrected or changed, in the stored transfer syntax,
    /// taken without a warning.
    package let isExact: Bool

    package init(_ outcome: DeliveryOutcome, lineOctets: Int64, isExact: Bool = false) {
        self.outcome = outcome
        self.lineOctets = lineOctets
        self.isExact = isExact
    }
}

/// What a destination has of a study before it is sent.
package enum HeldAnswer: Sendable {
    /// Its protocol cannot say.
    case unknown
    /// By SOP Instance UID.
    case held(Set<String>)
    /// It could not be asked.
    case failed(DeliveryOutcome)
}

/// What a destination answers when it is asked for proof.
package enum ProofOutcome: Sendable {
    /// It answers later, to the transaction that was asked with (storage commitment on another association).
    case pending
    /// It is at it, and goes on where it is when it is asked again; others have their turn before.
    case unfinished
    /// It holds `held`; `missing` are to be sent again. `body` is the answer as given, `words` a sentence for the ledger.
    case answered(held: [String], missing: [String], body: String, words: String)
    /// It gives no proof now: `DeliveryOutcome` says why, as for objects.
    case failed(DeliveryOutcome)
}

/// Asks for proof of one shipment.
package struct ProofRequest: Sendable {
    package let shipment: ShipmentRecord
    /// Its own Transaction UID (0008,1195), new for each request and written down before it is sent.
    package let transactionUID: String
    package let objects: [ProofObject]

    package struct ProofObject: Sendable {
        package let sopClassUID: String
        package let sopInstanceUID: String
        /// SHA-256 of the file as it is stored here.
        package let digest: [UInt8]

        package init(sopClassUID: String, sopInstanceUID: String, digest: [UInt8]) {
            self.sopClassUID = sopClassUID
            self.sopInstanceUID = sopInstanceUID
            self.digest = digest
        }
    }

    package init(shipment: ShipmentRecord, transactionUID: String, objects: [ProofObject]) {
        self.shipment = shipment
        self.transactionUID = transactionUID
        self.objects = objects
    }
}

/// One way to one destination; made anew when the destination's settings change. Nothing here is thrown: what goes wrong
/// is the outcome of what was asked.
package protocol Carrier: Sendable {
    /// Which of these objects the destination holds already, byte for byte.
    func held(of shipment: ShipmentRecord, _ instances: [StoredInstance]) async -> HeldAnswer
    /// A lane of its own: an association, a connection. Lanes are used by one task each.
    func lane() -> any Lane
    /// Asks for proof; nil where this destination gives none.
    func prove(_ request: ProofRequest) async -> ProofOutcome?
    /// Lets go of what is held open beside the lanes.
    func close() async
}

/// A line that objects are sent over one after the other.
package protocol Lane: Sendable {
    func send(_ parcel: Parcel) async -> ParcelOutcome
    /// Nothing is to be sent for now; the line may be let go.
    func rest() async
}
