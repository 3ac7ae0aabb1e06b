/// When a result is held back instead of published.
public struct ReleasePolicy: Codable, Equatable, Sendable {
    /// The most likeness to any one sharer, in the task's summed metric; nil for no limit.
    public var maxSimilarity: Double?

    public init(maxSimilarity: Double? = nil) { self.maxSimilarity = maxSimilarity }

    /// Decides over the shipped model's likeness to each sharer.
    public func decide(similarity: [Double]) -> PrivacyRecord.Release {
        guard let maxSimilarity, let most = similarity.max(), !(most <= maxSimilarity) else { return .released }
        return .held(
            reason: "likeness \(rounded(most)) to a sharer is above max_similarity \(rounded(maxSimilarity))")
    }
}

/// To four places, for people.
private func rounded(_ value: Double) -> Double { (value * 10_000).rounded() / 10_000 }
