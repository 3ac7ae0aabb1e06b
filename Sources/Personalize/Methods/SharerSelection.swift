/// One who shares an adapter, as the selection sees it: a name and a place in embedding space.
public struct SharerEmbedding: Equatable, Sendable {
    public let id: String
    /// Mean over the sharer's history items of each item's embedding, `[d]`.
    public let vector: [Float]

    public init(id: String, vector: [Float]) {
        self.id = id
        self.vector = vector
    }
}

/// A selected sharer: the place in the list that was chosen from, and the cosine to the target.
public struct SelectedSharer: Equatable, Sendable {
    public let index: Int
    public let cosine: Double
}

/// The `count` sharers most similar to `target` by cosine, most similar first (PriME, step "Select").
///
/// Raw cosines of a text encoder differ in the fourth digit only, so everything is summed in double precision; equal
/// cosines keep the order of the list.
public func mostSimilar(
    to target: [Float], among sharers: [SharerEmbedding], count: Int, place: String
) throws(MethodError) -> [SelectedSharer] {
    guard sharers.count >= count else {
        throw MethodError(
            .noSharers, place, found: "\(sharers.count) sharers can be used where \(count) are asked for",
            remedy: "lower sharers.top_k or add sharers to the pool")
    }
    let length = try squaredLength(target, place: place)
    var ranked: [SelectedSharer] = []
    for (index, sharer) in sharers.enumerated() {
        guard sharer.vector.count == target.count else {
            throw MethodError(
                .embedding, place,
                found: "an embedding of \(target.count) numbers, but sharer \(sharer.id)'s has \(sharer.vector.count)",
                remedy: "embed targets and sharers with the same encoder")
        }
        let other = try squaredLength(sharer.vector, place: "embedding of sharer \(sharer.id)")
        let product = zip(target, sharer.vector).reduce(0) { $0 + Double($1.0) * Double($1.1) }
        ranked.append(SelectedSharer(index: index, cosine: product / (length * other).squareRoot()))
    }
    ranked.sort { ($1.cosine, $0.index) < ($0.cosine, $1.index) }
    return Array(ranked.prefix(count))
}

private func squaredLength(_ vector: [Float], place: String) throws(MethodError) -> Double {
    let sum = vector.reduce(0) { $0 + Double($1) * Double($1) }
    guard sum.isFinite, sum > 0 else {
        throw MethodError(
            .embedding, place, found: sum == 0 ? "an embedding of zeros" : "an embedding with NaN or infinity",
            remedy: "give one finite number a dimension, not all of them zero")
    }
    return sum
}

/// Mean of item embeddings, `[items][d] -> [d]`: a user's place in embedding space.
public func userEmbedding(_ items: [[Float]]) -> [Float] {
    guard let first = items.first else { return [] }
    var sum = [Double](repeating: 0, count: first.count)
    for item in items { for (index, value) in item.enumerated() { sum[index] += Double(value) } }
    return sum.map { Float($0 / Double(items.count)) }
}
