// The state machine is its table: every state meets every step.

import Encounters
import Foundation
import Testing

@Suite("Procedure states")
struct ProcedureStateTests {
    @Test("The straight line from the order to the release")
    func straightLine() {
        var state = ProcedureState.ordered
        for (step, next) in [
            (ProcedureStep.schedule, ProcedureState.scheduled), (.arrive, .arrived), (.start, .inProgress),
            (.complete, .completed), (.report, .reported), (.release, .released),
        ] {
            #expect(state.after(step) == next)
            state = next
        }
    }

    @Test("A cancel is lawful until the examination is done", arguments: ProcedureState.allCases)
    func cancel(state: ProcedureState) {
        let isLawful = [.ordered, .scheduled, .arrived, .inProgress].contains(state)
        #expect((state.after(.cancel) == .cancelled) == isLawful)
    }

    @Test("Nothing leaves a cancelled procedure", arguments: ProcedureStep.allCases)
    func cancelled(step: ProcedureStep) { #expect(ProcedureState.cancelled.after(step) == nil) }

    @Test("A released report is changed by a new version only", arguments: ProcedureStep.allCases)
    func released(step: ProcedureStep) {
        #expect(ProcedureState.released.after(step) == (step == .report ? .reported : nil))
    }

    @Test("Every state but the cancelled one leads on, and every state has its row")
    func whole() {
        for state in ProcedureState.allCases {
            let row = ProcedureState.table[state]
            #expect(row != nil)
            #expect((row?.isEmpty == true) == (state == .cancelled))
        }
    }

    @Test("Modalities are told of what is still to be done")
    func open() {
        let open = ProcedureState.allCases.filter(\.isOpen)
        #expect(open == [.ordered, .scheduled, .arrived, .inProgress])
    }

    @Test("docs/worklist.md shows this table")
    func documented() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let document = try String(contentsOf: root.appending(path: "docs/worklist.md"), encoding: .utf8)
        func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |" }
        var lines = [line(["state"] + ProcedureStep.allCases.map(\.rawValue))]
        lines.append("|" + String(repeating: "---|", count: ProcedureStep.allCases.count + 1))
        for state in ProcedureState.allCases {
            lines.append(line([state.rawValue] + ProcedureStep.allCases.map { state.after($0)?.rawValue ?? "–" }))
        }
        #expect(document.contains(lines.joined(separator: "\n")), "the table is:\n\(lines.joined(separator: "\n"))")
    }
}
