import CCUDA

extension CUDABackend {
    public func pick(_ picks: [Pick], norm: Vector, head: Matrix) throws(ComputeError) -> [Picked] {
        guard let buffers, let staging else { return [] }
        let orders = staging.put(picks.map(order))
        staging.flush()
        let results = staging.leave(pcu_picked.self, picks.count)
        var logits: [Int: [Float]] = [:]
        for first in stride(from: 0, to: picks.count, by: buffers.logitRows) {
            let count = min(buffers.logitRows, picks.count - first)
            choose(first: first, rows: count, norm: norm, head: head, orders, into: results)
            for row in first..<(first + count) where picks[row] == .logits {
                logits[row] = try copy(
                    Float.self, shape.vocabulary,
                    from: buffers.logits.address + UInt64(4 * (row - first) * shape.vocabulary))
            }
        }
        let picked = try copy(pcu_picked.self, picks.count, from: results)
        staging.reuse()
        collectTimings()
        return picks.indices.map { index in
            guard picks[index] == .logits, picked[index].sound != 0 else {
                return read(picked[index], of: picks[index])
            }
            return .logits(logits[index] ?? [])
        }
    }

    /// Logits of rows of x, and what is chosen from them; at most as many rows as there is room for.
    func choose(
        first: Int, rows: Int, norm weight: Vector, head: Matrix, _ orders: UInt64, into results: UInt64
    ) {
        guard let buffers else { return }
        norm(weight, first: first, rows: rows)
        product(
            buffers.normed.address, shape.hidden, rows: rows, head, into: buffers.logits.address, shape.vocabulary,
            isWide: true)
        kernels?.launch(
            .choose, blocks: rows,
            pcu_choose(
                logits: buffers.logits.address, picks: orders + UInt64(first * MemoryLayout<pcu_pick>.stride),
                picked: results + UInt64(first * MemoryLayout<pcu_picked>.stride),
                vocabulary: Int32(shape.vocabulary)))
    }

    /// What the device chose, but for logits.
    func read(_ picked: pcu_picked, of pick: Pick) -> Picked {
        guard picked.sound != 0 else { return .unsound }
        if case .logProbability = pick { return .logProbability(picked.value) }
        return .token(picked.token)
    }

    func order(_ pick: Pick) -> pcu_pick {
        var order = pcu_pick(draw: 0, kind: Int32(PCU_GREEDY), token: 0, temperature: 0, top_p: 1)
        switch pick {
        case .greedy, .logits: break
        case .logProbability(let token):
            order.kind = Int32(PCU_LOG_PROBABILITY)
            order.token = token
        case .sample(let temperature, let topP, let draw):
            order.kind = Int32(PCU_SAMPLE)
            (order.temperature, order.top_p, order.draw) = (temperature, topP, draw)
        }
        return order
    }

    public func hidden(rows: Int, norm weight: Vector) throws(ComputeError) -> [[Float]] {
        guard let buffers, let staging else { return [] }
        // The spare half of x has room for what is normed.
        let target = (step.isSwapped ? buffers.x : buffers.spare).address
        norm(weight, rows: rows, wide: target)
        let all = try copy(Float.self, rows * shape.hidden, from: target)
        staging.reuse()
        collectTimings()
        return (0..<rows).map { Array(all[($0 * shape.hidden)..<(($0 + 1) * shape.hidden)]) }
    }

    /// Waits for the device and brings numbers back.
    func copy<Number>(_: Number.Type, _ count: Int, from address: UInt64) throws(ComputeError) -> [Number] {
        let numbers = [Number](unsafeUninitializedCapacity: count) { buffer, initialized in
            let bytes = count * MemoryLayout<Number>.stride
            if count > 0 {
                device.copyOut(buffer.baseAddress!, bytes, from: address)
            }
            device.queue("cuStreamSynchronize") { $0.wait_stream(device.stream) }
            initialized = count
        }
        if let failure = device.failure { throw failure }
        return numbers
    }
}
