import CKernels
import Glibc

extension CPUBackend {
    public func pick(_ picks: [Pick], norm: [Float], head: PackedMatrix) -> [Picked] {
        let tile = 12
        let vocabulary = shape.vocabulary
        var picked = [Picked](repeating: .unsound, count: picks.count)
        picked.withUnsafeMutableBufferPointer { picked in
            nonisolated(unsafe) let picked = picked
            pool.run((picks.count + tile - 1) / tile) { index, laneIndex in
                let lane = self.lanes[laneIndex]
                let first = index * tile
                let count = min(tile, picks.count - first)
                let hidden = Int64(self.shape.hidden)
                pk_rms_norm(
                    self.x.start + first * self.shape.hidden, hidden, Int64(count), hidden, norm,
                    self.shape.normEpsilon, lane.normed.start, hidden)
                lane.product(
                    lane.normed.start, self.shape.hidden, rows: count, head, into: lane.logits.start, vocabulary)
                for row in 0..<count {
                    let logits = UnsafeBufferPointer(start: lane.logits.start + row * vocabulary, count: vocabulary)
                    picked[first + row] = Self.pick(picks[first + row], logits)
                }
            }
        }
        return picked
    }

    public func hidden(rows: Int, norm: [Float]) -> [[Float]] {
        let width = shape.hidden
        return (0..<rows).map { row in
            [Float](unsafeUninitializedCapacity: width) { buffer, initialized in
                pk_rms_norm(
                    x.start + row * width, Int64(width), 1, Int64(width), norm, shape.normEpsilon,
                    buffer.baseAddress!, Int64(width))
                initialized = width
            }
        }
    }

    static func pick(_ pick: Pick, _ logits: UnsafeBufferPointer<Float>) -> Picked {
        let best = pk_argmax(logits.baseAddress, Int64(logits.count))
        guard best >= 0 else { return .unsound }
        switch pick {
        case .greedy:
            return .token(Int32(best))
        case .logProbability(let token):
            let total = pk_log_sum_exp(logits.baseAddress, Int64(logits.count))
            return .logProbability(Double(logits[Int(token)]) - total)
        case .logits:
            return .logits(Array(logits))
        case .sample(let temperature, let topP, let draw):
            guard temperature > 0 else { return .token(Int32(best)) }
            return .token(sample(logits, temperature: temperature, topP: topP, draw: draw))
        }
    }

    private static func sample(
        _ logits: UnsafeBufferPointer<Float>, temperature: Float, topP: Float, draw: Double
    ) -> Int32 {
        let top = Double(logits.max() ?? 0)
        let weights = logits.map { exp((Double($0) - top) / Double(temperature)) }
        let total = weights.reduce(0, +)
        // Equal probabilities keep the order of their ids, so the draw means the same everywhere.
        let order = weights.indices.sorted { (weights[$1], $0) < (weights[$0], $1) }
        var nucleus: [(id: Int, weight: Double)] = []
        var mass = 0.0
        for id in order {
            // A token belongs while the mass before it is within topP: the first always does.
            guard mass <= Double(topP) * total || nucleus.isEmpty else { break }
            nucleus.append((id, weights[id]))
            mass += weights[id]
        }
        var left = draw * mass
        for (id, weight) in nucleus {
            left -= weight
            if left < 0 { return Int32(id) }
        }
        return Int32(nucleus[nucleus.count - 1].id)
    }
}
