/// When a result is held back instead of published.
public struct ReleasePolicy: Codable, Equatable, Sendable {
    /// The most likeness to any one sharer, in the task's summed metric; nil for no limit. A copy of the sharer has its
    /// `similarityOfCopy`, which is at most 0 where the metrics are errors.
    public var maxSimilarity: Double?

    public init(maxSimilarity: Double? = nil) { self.maxSimilarity = maxSimilarity }

    /// Decides over what ships by its likeness to each sharer. The base is always released: there is nothing of a sharer in
    /// it, however alike its predictions are.
    public func decide(_ outcome: PrivacyRecord.Outcome, similarity: [Double]) -> PrivacyRecord.Release {
        // A likeness that is no number is not below the limit.
        guard outcome == .merged, let maxSimilarity, !similarity.allSatisfy({ $0 <= maxSimilarity }) else {
            return .released
        }
        let most = similarity.max() ?? .nan
        return .held(
            reason: "likeness \(rounded(most)) to a sharer is above max_similarity \(rounded(maxSimilarity))")
    }
}

/// To four places, for people.
private func rounded(_ value: Double) -> Double { (value * 10_000).rounded() / 10_000 }
