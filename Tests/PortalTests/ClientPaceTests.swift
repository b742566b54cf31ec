// The pace that slow clients must keep, with a clock of the test's own.

import NIOCore
import Portal
import Testing

@Suite("The pace of clients")
struct ClientPaceTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    /// A moment, in seconds from the beginning.
    private func at(_ seconds: Double) -> NIODeadline { Self.start + .nanoseconds(Int64(seconds * 1e9)) }

    private func pace() -> ClientPace { ClientPace(PaceLimits(), now: Self.start) }

    @Test("A connection that asks nothing ends after the idle time, not before")
    func idle() {
        var pace = pace()
        #expect(pace.verdict(at: at(29.9)) == .fine)
        #expect(pace.verdict(at: at(30)) == .idle)
    }

    @Test("After an answer the idle time begins anew")
    func keptAlive() {
        var pace = pace()
        pace.began(at: at(20))
        pace.ended(at: at(20))
        pace.beganAnswer()
        // An answer that takes long is our own affair.
        #expect(pace.verdict(at: at(500)) == .fine)
        pace.answered(at: at(501))
        #expect(pace.verdict(at: at(530)) == .fine)
        #expect(pace.verdict(at: at(531)) == .idle)
    }

    @Test(
        "A body of less than a kibibyte a second is too slow; a little more is not",
        arguments: [(900, true), (1200, false)])
    func trickle(bytesASecond: Int, isSlow: Bool) {
        var pace = pace()
        pace.began(at: at(0))
        var verdicts: Set<ClientPace.Verdict> = []
        for second in 0..<60 {
            pace.demanded(at: at(Double(second)))
            pace.receivedBody(bytesASecond, at: at(Double(second) + 1))
            verdicts.insert(pace.verdict(at: at(Double(second) + 1)))
        }
        #expect(verdicts.contains(.slow) == isSlow)
    }

    @Test("What another archive sends may come slower by far, but not stop", arguments: [(3, true), (5, false)])
    func patient(bytesASecond: Int, isSlow: Bool) {
        var pace = pace()
        pace.began(at: at(0), isPatient: true)
        var verdicts: Set<ClientPace.Verdict> = []
        for second in 0..<130 {
            pace.demanded(at: at(Double(second)))
            pace.receivedBody(bytesASecond, at: at(Double(second) + 1))
            verdicts.insert(pace.verdict(at: at(Double(second) + 1)))
        }
        #expect(verdicts.contains(.slow) == isSlow)
    }

    @Test("A body that stops is too slow, however fast it began")
    func stopped() {
        var pace = pace()
        pace.began(at: at(0))
        pace.demanded(at: at(0))
        pace.receivedBody(1 << 30, at: at(1))
        pace.demanded(at: at(1))
        var seconds = 1.0
        while pace.verdict(at: at(seconds)) == .fine, seconds < 100 { seconds += 1 }
        #expect((19...21).contains(seconds))
        #expect(pace.canAnswer)
    }

    @Test("While we are not ready for more, the client is not to blame")
    func ownSlowness() {
        var pace = pace()
        pace.began(at: at(0))
        pace.demanded(at: at(0))
        pace.receivedBody(100, at: at(1))
        for second in 1...300 { #expect(pace.verdict(at: at(Double(second))) == .fine) }
    }

    @Test("An answer that nobody takes is given up")
    func stall() {
        var pace = pace()
        pace.began(at: at(0))
        pace.ended(at: at(0))
        pace.beganAnswer()
        pace.becameWritable(false, at: at(1))
        #expect(pace.verdict(at: at(120)) == .fine)
        pace.becameWritable(true, at: at(120))
        pace.becameWritable(false, at: at(121))
        #expect(pace.verdict(at: at(240)) == .fine)
        #expect(pace.verdict(at: at(241)) == .hopeless)
    }

    @Test("Of a body that was answered already only so much is read")
    func useless() {
        var pace = pace()
        pace.began(at: at(0))
        pace.beganAnswer()
        pace.answered(at: at(1))
        pace.receivedBody(16 << 20, at: at(2))
        #expect(pace.verdict(at: at(2)) == .fine)
        pace.receivedBody(1, at: at(2))
        #expect(pace.verdict(at: at(2)) == .hopeless)
    }
}
