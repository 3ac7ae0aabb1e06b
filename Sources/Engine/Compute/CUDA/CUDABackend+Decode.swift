import CCUDA

/// Decoding: what one step chooses, the next one reads from the device's memory. A step is a graph of its calls, launched
/// as one; the host looks once in a while.
extension CUDABackend {
    /// Recorded steps, for the addresses that they were recorded with.
    struct Graphs {
        /// Why steps are recorded no more; nil while recording works. What runs call by call gives the same numbers.
        var refusal: ComputeError?
        private(set) var addresses: [UInt64] = []
        private var steps: [Key: Recorded] = [:]

        struct Key: Hashable {
            let rows: Int
            let needsBank: Bool
        }

        struct Recorded {
            /// nil after the first time: a step that is run once is not worth recording.
            var graph: Graph?
            /// Of its products, the seconds left out.
            var products = ProductTotals()
        }

        var count: Int { steps.values.count { $0.graph != nil } }

        subscript(key: Key) -> Recorded? {
            get { steps[key] }
            set { steps[key] = newValue }
        }

        /// Forgets everything unless the addresses are still the same.
        mutating func match(_ addresses: [UInt64]) {
            guard addresses != self.addresses else { return }
            self.addresses = addresses
            steps = [:]
        }
    }

    public var decodeStride: Int { Int(PCU_STRIDE) }

    public var decodeRefusal: ComputeError? { graphs.refusal }

    public func decode(
        _ rows: StepRows, cache: Cache, picks: [[Pick]], norm: Vector, head: Matrix, forward: () -> Void
    ) throws(ComputeError) -> [[Picked]] {
        guard let buffers, let staging, let first = picks.first else { return [] }
        let count = rows.count
        let slots = min(Self.slots(for: count), buffers.rows)
        let advance = lay(rows, picks, slots: slots, staging, cache: cache)
        graphs.match([advance.picked] + addresses(cache, norm, head))
        for _ in picks { run(advance, norm: norm, head: head, forward: forward) }
        let results = try copy(pcu_picked.self, picks.count * slots, from: advance.results)
        staging.reuse()
        collectTimings()
        return picks.indices.map { step in
            (0..<count).map { read(results[step * slots + $0], of: first[$0]) }
        }
    }

    /// Steps are recorded for these numbers of rows alone, powers of two and those halfway; the rest of the rows is idle.
    static func slots(for rows: Int) -> Int {
        var power = 1
        while power < rows { power *= 2 }
        return power >= 4 && power / 4 * 3 >= rows ? power / 4 * 3 : power
    }

    /// Tells the device the rows, `slots` with the idle ones, and makes them those of the coming step.
    private func lay(
        _ rows: StepRows, _ picks: [[Pick]], slots: Int, _ staging: Staging, cache: Cache
    ) -> pcu_advance {
        let idle = slots - rows.count
        func padded<Number>(_ numbers: [Number], _ filler: Number) -> [Number] {
            numbers + Array(repeating: filler, count: idle)
        }
        var advance = pcu_advance()
        // From the front, so that equal numbers of slots give equal addresses.
        staging.reuse()
        advance.picked = staging.leave(pcu_picked.self, slots)
        advance.results = staging.leave(pcu_picked.self, slots * Int(PCU_STRIDE))
        advance.rows = Int32(slots)
        advance.tokens = staging.put(padded(rows.tokens, 0))
        advance.lines = staging.put(
            padded(
                rows.spans.map { span in
                    pcu_row(
                        position: Int32(span.position), block: rows.blocks[span.blocks + span.position / cacheBlock],
                        mixture: Int32(span.mixture))
                }, pcu_row(position: 0, block: -1, mixture: 0)))
        advance.pieces = staging.put(
            padded(
                rows.spans.map { span in
                    pcu_piece(
                        row: Int32(span.row), count: 1, position: Int32(span.position), blocks: Int32(span.blocks))
                }, pcu_piece(row: 0, count: 0, position: 0, blocks: 0)))
        advance.picks = staging.put(padded(picks[0].map { order($0) }, order(.greedy)))
        advance.done = staging.put([Int32](repeating: 0, count: slots))
        advance.draws = staging.put(
            (0..<Int(PCU_STRIDE)).flatMap { step -> [Double] in
                padded(picks[min(step, picks.count - 1)].map { self.order($0).draw }, 0)
            })
        // One more than there are: the last step advances, too.
        advance.blocks = staging.put(rows.blocks + [0])
        staging.flush()
        var step = Step(count: slots, cache: cache)
        (step.tokens, step.rows, step.blocks) = (advance.tokens, advance.lines, advance.blocks)
        if splits, shape.group <= Int(PCU_SPLIT_LINES) {
            step.splitPieces = (advance.pieces, slots)
        } else {
            step.widePieces = (advance.pieces, slots)
        }
        step.needsBank = needsBank(rows)
        self.step = step
        return advance
    }

    private func run(_ advance: pcu_advance, norm: Vector, head: Matrix, forward: () -> Void) {
        let slots = Int(advance.rows)
        func queue() {
            forward()
            let most = buffers?.logitRows ?? slots
            for first in stride(from: 0, to: slots, by: most) {
                choose(
                    first: first, rows: min(most, slots - first), norm: norm, head: head, advance.picks,
                    into: advance.picked)
            }
            kernels?.launch(
                .advance, blocks: (slots + Int(PCU_ROW_THREADS) - 1) / Int(PCU_ROW_THREADS), advance)
        }
        let key = Graphs.Key(rows: slots, needsBank: step.needsBank)
        // Events in a graph have no times.
        guard !measuresProducts, graphs.refusal == nil, var recorded = graphs[key] else {
            queue()
            graphs[key] = graphs[key] ?? Graphs.Recorded()
            return
        }
        if recorded.graph == nil {
            let before = products
            products = ProductTotals()
            let graph = Result { () throws(ComputeError) in try Graph(device, recording: queue) }
            recorded.products = products
            products = before
            switch graph {
            case .success(let graph): recorded.graph = graph
            case .failure(let error):
                graphs.refusal = error
                queue()
                return
            }
            graphs[key] = recorded
        }
        recorded.graph?.launch()
        products.operations += recorded.products.operations
        products.bytes += recorded.products.bytes
    }

    /// All that a step's calls have by address, but for the model's weights, which stay where they are.
    private func addresses(_ cache: Cache, _ norm: Vector, _ head: Matrix) -> [UInt64] {
        var addresses = [x, cosines, sines, cache.place.address, norm.place.address, head.place.address]
        if let mixing {
            addresses += [mixing.rooms.weights.address, mixing.rooms.low.address, mixing.rooms.mixed.address]
            addresses += [UInt64(mixing.shape.slots), UInt64(mixing.shape.rank), mixing.shape.factors ? 1 : 0]
            for group in mixing.bank.flatMap({ [$0.qkv, $0.o, $0.gateUp, $0.down] }) {
                addresses.append(group?.a.place.address ?? 0)
                for output in group?.outputs ?? [] { addresses += [UInt64(output.part), output.b.place.address] }
            }
        }
        return addresses
    }
}
