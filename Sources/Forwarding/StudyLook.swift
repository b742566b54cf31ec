// A study as the rules see it: what its images say, what the records know of it, what of it is where.

package import Catalog
import DICOMCore
import Encounters
package import Records
import Volumes

/// What the catalogue holds of a study, at one moment.
package struct StudyContents: Sendable {
    package let studyInstanceUID: String
    /// In the order in which they are sent.
    package let instances: [StoredInstance]
    /// Traits that the images show.
    package let shown: [StudyTraits.Key: [String]]

    package var octets: Int64 { instances.reduce(0) { $0 + $1.place.length } }

    /// Reads the catalogue; nil when nothing of the study is there.
    package init?(_ uid: String, _ catalog: CatalogStore) throws(ForwardingFailure) {
        do throws(CatalogError) {
            let stored = try catalog.instances(Scope(studyUIDs: [uid]))
            guard !stored.isEmpty else { return nil }
            var query = Query(level: .series, filters: [.studyInstanceUID: .single(uid)])
            query.returnKeys = []
            let series = try catalog.find(query)
            func values(_ tag: Tag) -> [String] {
                var seen: Set<String> = []
                return series.compactMap { $0.values[tag] }.filter { !$0.isEmpty && seen.insert($0).inserted }
            }
            studyInstanceUID = uid
            instances = SendingOrder.ordered(stored)
            shown = [
                .modality: values(.modality), .bodyPart: values(Tag(rawValue: 0x0018_0015)),
                .institution: values(Tag(rawValue: 0x0008_0080)), .description: values(.studyDescription),
                .referral: values(Tag(rawValue: 0x0008_0090)), .peer: Array(Set(stored.map(\.source))).sorted(),
            ]
        } catch {
            throw .unavailable(reason: "The catalogue cannot be read now")
        }
    }

    /// How much there is of the study for a destination: what is here, and what it has proven to hold and was given up here.
    func extent(
        of shipment: ShipmentRecord, _ records: RecordTransaction
    ) throws -> (instances: Int, octets: Int64) {
        let here = Set(instances.map(\.sopInstanceUID))
        let there = try records.shipped(shipment.id).filter {
            $0.committedAt != nil && !here.contains($0.sopInstanceUID)
        }
        return (instances.count + there.count, there.reduce(octets) { $0 + $1.octets })
    }

    func measure(_ shipment: ShipmentRecord, _ records: RecordTransaction) throws {
        let (instances, octets) = try extent(of: shipment, records)
        try records.measureShipment(shipment.id, instances: instances, octets: octets)
    }

    /// What rules may ask, with what the records know.
    package func traits(_ records: RecordTransaction, peers: [Peer]) throws -> StudyTraits {
        var traits = StudyTraits(studyInstanceUID: studyInstanceUID)
        traits.values = shown
        let sources = Set(shown[.peer] ?? [])
        traits.values[.peer, default: []] += peers.filter { sources.contains($0.aeTitle) }.map(\.name)
        guard let link = try records.link(ofStudy: studyInstanceUID) else { return traits }
        var visit = link.target.encounter
        if let id = link.target.procedure {
            let procedure = try records.procedure(id: id)
            traits.values[.priority] = [procedure.details.priority]
            traits.values[.bodyPart, default: []].append(procedure.details.bodySite)
            visit = visit ?? procedure.encounter
        }
        if let visit {
            let details = try records.encounter(id: visit).details
            traits.values[.facility] = [details.facility]
            traits.values[.department] = [details.department]
            traits.values[.encounter] = [details.patientClass]
            traits.values[.referral, default: []].append(details.referringPhysician)
        }
        return traits
    }
}

/// The order in which a study's objects go: first what selects and describes, then of every series the first and the middle
/// one, so that the other side can look before the rest is there.
package enum SendingOrder {
    /// Key Object Selection, presentation states, structured reports: small, and they say what to look at.
    private static let describing = ["1.2.840.10008.5.1.4.1.1.88.", "1.2.840.10008.5.1.4.1.1.11."]

    package static func ordered(_ instances: [StoredInstance]) -> [StoredInstance] {
        var series: [String: [StoredInstance]] = [:]
        var names: [String] = []
        var first: [StoredInstance] = []
        for instance in instances {
            if describing.contains(where: { instance.sopClassUID.hasPrefix($0) }) {
                first.append(instance)
                continue
            }
            if series[instance.seriesInstanceUID] == nil { names.append(instance.seriesInstanceUID) }
            series[instance.seriesInstanceUID, default: []].append(instance)
        }
        var glance: [StoredInstance] = []
        var rest: [StoredInstance] = []
        for name in names {
            let members = series[name] ?? []
            let shown: Set<Int> = [0, members.count / 2]
            for (index, member) in members.enumerated() {
                if shown.contains(index) { glance.append(member) } else { rest.append(member) }
            }
        }
        return first + glance + rest
    }
}
