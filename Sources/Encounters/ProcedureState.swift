// How far a requested procedure has come: one pure state machine.

/// States of a requested procedure, from the order to the released report.
package enum ProcedureState: String, CaseIterable, Sendable {
    case ordered
    case scheduled
    case arrived
    case inProgress = "in-progress"
    case completed
    case reported
    case released
    case cancelled

    /// Whether modalities are told of it (PS3.4 Section K.6.1.2.2).
    package var isOpen: Bool { self != .completed && self != .reported && self != .released && self != .cancelled }

    /// The state of a stored word; words of later versions read as the order they all begin with.
    package init(word: String) { self = ProcedureState(rawValue: word) ?? .ordered }
}

/// What happens to a requested procedure.
package enum ProcedureStep: String, CaseIterable, Sendable {
    /// A time was set, or another one.
    case schedule
    /// The patient is there.
    case arrive
    /// A modality began, or images came.
    case start
    /// The modality gave up; the patient is still there.
    case discontinue
    /// The modality is done, or no more images came.
    case complete
    case report
    case release
    case cancel
}

extension ProcedureState {
    /// Every lawful step and the state that it leads to. What is not here is refused.
    package static let table: [ProcedureState: [ProcedureStep: ProcedureState]] = [
        .ordered: [
            .schedule: .scheduled, .arrive: .arrived, .start: .inProgress, .complete: .completed, .cancel: .cancelled,
        ],
        .scheduled: [
            .schedule: .scheduled, .arrive: .arrived, .start: .inProgress, .complete: .completed, .cancel: .cancelled,
        ],
        .arrived: [
            .schedule: .scheduled, .arrive: .arrived, .start: .inProgress, .complete: .completed, .cancel: .cancelled,
        ],
        // Under examination. What a modality reports of is not cancelled any more: `OrderDesk` refuses that; the modality
        // discontinues.
        .inProgress: [.start: .inProgress, .discontinue: .arrived, .complete: .completed, .cancel: .cancelled],
        // More images, or a report.
        .completed: [.start: .inProgress, .complete: .completed, .report: .reported],
        .reported: [.report: .reported, .release: .released],
        // An amended report.
        .released: [.report: .reported],
        .cancelled: [:],
    ]

    /// The state after a step; nil where the step is not lawful.
    package func after(_ step: ProcedureStep) -> ProcedureState? { Self.table[self]?[step] }
}
