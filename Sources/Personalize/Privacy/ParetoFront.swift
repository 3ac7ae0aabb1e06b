/// Evaluations on the front of (utility up, similarity down), by rising similarity; of equal points the first.
public func paretoFront(_ candidates: [PrivacyRecord.CandidateRecord]) -> [Int] {
    let ordered = candidates.filter { $0.utility.isFinite && $0.similarity.isFinite }.sorted {
        ($0.similarity, -$0.utility, $0.evaluation) < ($1.similarity, -$1.utility, $1.evaluation)
    }
    var front: [Int] = []
    var best = -Double.infinity
    for candidate in ordered where candidate.utility > best {
        best = candidate.utility
        front.append(candidate.evaluation)
    }
    return front
}

/// Alphas for which a report says what they would have chosen: the paper's range.
public let reportedAlphas: [Double] = [0, 0.1, 0.2, 0.5, 1, 2, 5]

/// What each alpha would have chosen from the evaluated candidates: argmax of utility - alpha * similarity, the base
/// among them; of equal ones the first.
public func alternatives(
    _ candidates: [PrivacyRecord.CandidateRecord], alphas: [Double] = reportedAlphas
) -> [PrivacyRecord.AlternativeRecord] {
    alphas.compactMap { alpha in
        var chosen: PrivacyRecord.CandidateRecord?
        var most = -Double.infinity
        for candidate in candidates where candidate.utility - alpha * candidate.similarity > most {
            most = candidate.utility - alpha * candidate.similarity
            chosen = candidate
        }
        return chosen.map {
            .init(alpha: alpha, evaluation: $0.evaluation, utility: $0.utility, similarity: $0.similarity)
        }
    }
}
