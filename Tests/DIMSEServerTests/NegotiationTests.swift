// Who is served what: the tables behind every A-ASSOCIATE-AC.

import DICOMCore
import DICOMNetwork
import DIMSEServer
import Testing

@Suite struct ServiceTableTests {
    @Test(
        "Storage is every storage class, private ones and those of later editions by policy; other services are not",
        arguments: [
            ("1.2.840.10008.5.1.4.1.1.2", true, true),  // CT
            ("1.2.840.10008.5.1.4.1.1.66.4", true, true),  // Segmentation
            ("1.2.840.10008.5.1.4.1.1.999.7", true, false),  // a later edition's
            ("1.3.12.2.1107.5.9.1", true, false),  // private
            ("1.2.840.10008.1.20.1", false, false),  // storage commitment
            ("1.2.840.10008.3.1.2.3.3", false, false),  // MPPS
            ("1.2.840.10008.5.1.4.31", false, false),  // worklist
            ("1.2.840.10008.5.1.1.9", false, false),  // print
            ("../../etc/passwd", false, false),
            ("", false, false),
        ])
    func storage(uid: String, whenOpen: Bool, whenStrict: Bool) {
        #expect((ServiceTable.service(for: uid, acceptsUnknown: true) == .storage) == whenOpen)
        #expect((ServiceTable.service(for: uid, acceptsUnknown: false) == .storage) == whenStrict)
    }

    @Test("The services have distinct UIDs that the dictionary knows (PS3.6 Table A-1)")
    func services() {
        #expect(Set(ServiceTable.services.map(\.uid)).count == ServiceTable.services.count)
        for service in ServiceTable.services { #expect(SOPClass.name(of: service.uid) != nil) }
    }

    @Test(
        "The caller's first syntax is taken, implicit and big endian only where nothing else is proposed (PS3.5 Annex A)",
        arguments: [
            (["1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.1"], "1.2.840.10008.1.2.4.70"),
            (["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"], "1.2.840.10008.1.2.1"),
            (["1.2.840.10008.1.2.2", "1.2.840.10008.1.2"], "1.2.840.10008.1.2"),
            (["1.2.840.10008.1.2.2"], "1.2.840.10008.1.2.2"),
            (["1.2.3.4.5"], "1.2.3.4.5"),
        ])
    func syntax(proposed: [String], chosen: String) {
        #expect(ServiceTable.storageSyntax(among: proposed) == chosen)
    }
}
