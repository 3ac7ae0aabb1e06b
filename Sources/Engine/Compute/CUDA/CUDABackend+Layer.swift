import CCUDA

extension CUDABackend {
    /// The rows that the coming operations are about, as the device has them.
    struct Step {
        var count = 0
        var cache: Cache?
        var tokens: UInt64 = 0
        var rows: UInt64 = 0
        var blocks: UInt64 = 0
        var widePieces: (address: UInt64, count: Int) = (0, 0)
        var splitPieces: (address: UInt64, count: Int) = (0, 0)
        /// Whether a row has a mixture that is not the base.
        var needsBank = false
        /// Whether x lies in the spare buffer.
        var isSwapped = false
    }

    public func begin(_ rows: StepRows, cache: Cache) {
        guard let staging else { return }
        var step = Step(count: rows.count, cache: cache, isSwapped: rows.tokens.isEmpty ? self.step.isSwapped : false)
        var lines: [pcu_row] = []
        lines.reserveCapacity(rows.count)
        for span in rows.spans {
            for offset in 0..<span.count {
                let position = span.position + offset
                lines.append(
                    pcu_row(
                        position: Int32(position), block: rows.blocks[span.blocks + position / cacheBlock],
                        mixture: Int32(span.mixture)))
            }
        }
        step.needsBank = needsBank(rows)
        let pieces = cut(rows)
        step.tokens = staging.put(rows.tokens)
        step.rows = staging.put(lines)
        step.blocks = staging.put(rows.blocks)
        step.widePieces = (staging.put(pieces.wide), pieces.wide.count)
        step.splitPieces = (staging.put(pieces.split), pieces.split.count)
        self.step = step
        staging.flush()
    }

    func needsBank(_ rows: StepRows) -> Bool {
        mixing.map { mixing in rows.spans.contains { !mixing.isBase[$0.mixture] } } ?? false
    }

    public func end() {
        step = Step()
        mixing = nil
    }

    /// Spans as the attention's thread blocks take them: short ones whole, long ones in pieces.
    private func cut(_ rows: StepRows) -> (wide: [pcu_piece], split: [pcu_piece]) {
        var (wide, split): ([pcu_piece], [pcu_piece]) = ([], [])
        let group = shape.group
        let most = max(1, Int(isBF16 ? PCU_LINES : PCU_SPLIT_LINES) / group)
        for span in rows.spans {
            let isShort = splits && span.count * group <= Int(PCU_SPLIT_LINES)
            for from in stride(from: 0, to: span.count, by: most) {
                let piece = pcu_piece(
                    row: Int32(span.row + from), count: Int32(min(most, span.count - from)),
                    position: Int32(span.position + from), blocks: Int32(span.blocks))
                if isShort { split.append(piece) } else { wide.append(piece) }
            }
        }
        // The longest first, so that none is left over at the end.
        func isLonger(_ a: pcu_piece, _ b: pcu_piece) -> Bool {
            (b.position + b.count, a.row) < (a.position + a.count, b.row)
        }
        return (wide.sorted(by: isLonger), split.sorted(by: isLonger))
    }

    var splits: Bool { kernels?.splits ?? false }

    var x: UInt64 { (step.isSwapped ? buffers?.spare : buffers?.x)?.address ?? 0 }

    public func embed(table: Matrix) {
        kernels?.launch(
            .embed, blocks: step.count,
            pcu_embed(tokens: step.tokens, table: table.place.address, x: x, hidden: Int32(shape.hidden)))
    }

    /// normed = norm of x's first rows.
    func norm(_ weight: Vector, first: Int = 0, rows: Int, wide: UInt64 = 0) {
        guard let buffers else { return }
        kernels?.launch(
            .norm, blocks: rows,
            pcu_norm(
                x: x + UInt64(4 * first * shape.hidden), weight: weight.place.address, out: buffers.normed.address,
                wide: wide, hidden: Int32(shape.hidden), epsilon: shape.normEpsilon))
    }

    public func attentionInput(layer: Int, weights: LayerWeights<CUDABackend>, projection: Projection) {
        guard let buffers else { return }
        let queries = shape.heads * shape.headDim
        let ld = queries + 2 * shape.kvHeads * shape.headDim
        let (first, last) = projection == .keysValues ? (queries, ld) : (0, projection == .queries ? queries : ld)
        norm(weights.attentionNorm, rows: step.count)
        product(
            buffers.normed.address, shape.hidden, rows: step.count, weights.qkv, first: first, last: last,
            into: buffers.qkv.address + UInt64(first * valueBytes), ld)
        addBank(mixing?.bank[layer].qkv, layer, buffers.normed.address, shape.hidden) { part in
            let start = weights.qkv.starts[part]
            return start >= first && start < last ? (buffers.qkv.address + UInt64(start * valueBytes), ld) : nil
        }
        kernels?.launch(
            .rotate, blocks: step.count,
            pcu_rotate(
                qkv: buffers.qkv.address, cosines: cosines, sines: sines, rows: step.rows, cache: layerAddress(layer),
                block_values: Int64(blockValues), ld: Int32(ld), heads: Int32(shape.heads),
                kv_heads: Int32(shape.kvHeads), rotates_queries: projection == .keysValues ? 0 : 1,
                stores: projection == .queries ? 0 : 1))
    }

    public func attend(layer: Int) {
        guard let buffers else { return }
        func launch(_ kernel: CUDAKernels.Kernel, _ pieces: (address: UInt64, count: Int)) {
            kernels?.launch(
                kernel, blocks: pieces.count, heads: shape.kvHeads,
                pcu_attend(
                    q: buffers.qkv.address, out: buffers.attended.address, cache: layerAddress(layer),
                    pieces: pieces.address, blocks: step.blocks, block_values: Int64(blockValues),
                    ld: Int32((shape.heads + 2 * shape.kvHeads) * shape.headDim), heads: Int32(shape.heads),
                    group: Int32(shape.group), scale: 1 / Float(shape.headDim).squareRoot()))
        }
        launch(isBF16 ? .attendWide : .attendLines, step.widePieces)
        launch(.attendSplit, step.splitPieces)
    }

    public func layerOutput(layer: Int, weights: LayerWeights<CUDABackend>) {
        guard let buffers else { return }
        let (hidden, feedForward, width) = (shape.hidden, shape.feedForward, shape.heads * shape.headDim)
        let (rows, bank) = (step.count, mixing?.bank[layer])
        product(
            buffers.attended.address, width, rows: rows, weights.o, into: x, hidden, isWide: true, accumulate: true)
        addBank(bank?.o, layer, buffers.attended.address, width, isWide: true) { _ in (x, hidden) }
        norm(weights.feedForwardNorm, rows: rows)
        product(
            buffers.normed.address, hidden, rows: rows, weights.gateUp, into: buffers.gated.address, 2 * feedForward)
        addBank(bank?.gateUp, layer, buffers.normed.address, hidden) { part in
            (buffers.gated.address + UInt64(part * feedForward * valueBytes), 2 * feedForward)
        }
        kernels?.launch(
            .swiglu, blocks: rows,
            pcu_swiglu(in: buffers.gated.address, out: buffers.activated.address, width: Int32(feedForward)))
        product(
            buffers.activated.address, feedForward, rows: rows, weights.down, into: x, hidden, isWide: true,
            accumulate: true)
        addBank(bank?.down, layer, buffers.activated.address, feedForward, isWide: true) { _ in (x, hidden) }
    }

    public func gather(_ rows: [Int]) {
        guard let buffers, let staging, rows != Array(0..<rows.count) else { return }
        let sources = staging.put(rows.map(Int32.init))
        staging.flush()
        let target = step.isSwapped ? buffers.x : buffers.spare
        kernels?.launch(
            .gather, blocks: rows.count,
            pcu_gather(from: x, to: target.address, sources: sources, hidden: Int32(shape.hidden)))
        step.isSwapped.toggle()
    }
}
