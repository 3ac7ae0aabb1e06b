import Privacy

/// What the result is, in one sentence; HTML.
func headline(_ record: PrivacyRecord) -> String {
    if case .held(let reason) = record.release { return "The result is held: \(escape(reason))" }
    let (utility, similarity) = (record.utility, record.similarity)
    switch record.outcome {
    case .merged:
        return "The merge ships: history score \(change(utility.base, utility.merged)), "
            + "likeness to the sharers \(change(similarity.before, similarity.after))"
    case .base:
        return "The base ships: history score\u{a0}\(number(utility.base)), "
            + "likeness to the sharers\u{a0}\(number(similarity.before))"
    }
}

/// What follows from the headline; HTML.
func consequence(_ record: PrivacyRecord) -> String {
    let chosen = record.outcome == .merged ? "a merge of the sharers' adapters" : "the base, with all weights zero"
    if case .held = record.release {
        return "The release policy keeps it back; no adapter and no predictions were published. "
            + "What would have shipped is \(chosen)."
    }
    switch record.outcome {
    case .merged: return "The adapter beside this page is \(chosen), chosen for this one person's history."
    case .base: return "\(reason(record)), so nothing of any sharer is in the adapter beside this page: \(chosen)."
    }
}

/// Why the base ships.
private func reason(_ record: PrivacyRecord) -> String {
    guard record.isVetoed, let base = record.candidates.first, let heldOut = record.heldOut else {
        return "What the search recommended was no better than the base"
    }
    let recommended = heldOut.recommended
    return "What the search recommended was better than the base where it was searched (fitness "
        + "\(number(recommended.searchedFitness)), the base \(number(base.fitness))) and worse on the "
        + "\(counted(heldOut.items, "history item")) kept from the search (\(number(recommended.fitness)), the base "
        + "\(number(heldOut.baseFitness)))"
}

func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

func change(_ before: Double, _ after: Double) -> String { "\(number(before))\u{a0}→\u{a0}\(number(after))" }

/// What the point that was chosen is called.
func chosenName(_ record: PrivacyRecord) -> String {
    if case .held = record.release { return "held" }
    return "ships"
}

/// The task's score by name, e.g. "accuracy + f1"; not escaped.
func metricSum(_ record: PrivacyRecord) -> String {
    record.metrics.isEmpty ? "score" : record.metrics.joined(separator: " + ")
}
