// What a server does not take is remembered, but not for ever.

import Catalog
import Forwarding
import Testing
import WebForwarding

@Suite struct UnwantedFormTests {
    @Test("A form is left out for an hour and then offered again")
    func forgotten() {
        let (unwanted, now) = (UnwantedForms(), ContinuousClock.now)
        let form = ObjectForm(sopClassUID: "1.2.840.10008.5.1.4.1.1.2", transferSyntaxUID: "1.2.840.10008.1.2.4.80")
        #expect(unwanted.forms(at: now).isEmpty)
        #expect(unwanted.insert(form, at: now))
        #expect(!unwanted.insert(form, at: now + .seconds(3_599)))
        #expect(unwanted.forms(at: now + .seconds(7_000)) == [form])
        #expect(unwanted.forms(at: now + .seconds(7_200)).isEmpty)
        #expect(unwanted.insert(form, at: now + .seconds(7_200)))
    }
}
