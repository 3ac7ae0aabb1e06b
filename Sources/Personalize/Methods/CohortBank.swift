import Checkpoints
import Llama

/// The one bank of a cohort: every adapter that any of its targets merges, each once.
struct CohortBank {
    /// In the order in which the targets bring them.
    private(set) var adapters: [Adapter] = []
    /// Of each target, the place in the bank of each of its sharers.
    private(set) var places: [[Int]] = []

    init(_ targets: [Target]) {
        var known: [String: Int] = [:]
        for target in targets {
            places.append(
                target.sharers.map { sharer in
                    if let place = known[sharer.id] { return place }
                    known[sharer.id] = adapters.count
                    adapters.append(sharer.adapter)
                    return adapters.count - 1
                })
        }
    }

    /// A target's own mixture as one over the bank: the adapters of others weigh nothing.
    func mixture(_ own: Mixture, of target: Int) -> Mixture {
        let places = places[target]
        guard !own.weights.isEmpty, places != Array(adapters.indices) else { return own }
        let layers = own.weights.count / places.count
        var weights = [Float](repeating: 0, count: layers * adapters.count)
        for layer in 0..<layers {
            for (index, place) in places.enumerated() {
                weights[layer * adapters.count + place] = own.weights[layer * places.count + index]
            }
        }
        return Mixture(weights: weights)
    }
}
