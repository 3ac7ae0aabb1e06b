import CKernels

extension CPUBackend {
    public func attentionInput(
        layer: Int, weights: LayerWeights<CPUBackend>, projection: Projection
    ) {
        guard let cache else { return }
        let (tiles, rows) = (tiles, rows)
        let headsWidth = shape.heads * shape.headDim
        let kvWidth = shape.kvHeads * shape.headDim
        let (keyStart, valueStart) = (weights.qkv.starts[1], weights.qkv.starts[2])
        let ld = valueStart + kvWidth
        let (first, last) = projection == .keysValues ? (keyStart, ld) : (0, projection == .queries ? headsWidth : ld)
        let bankGroup = bank.isEmpty ? nil : bank[layer].qkv
        pool.run(tiles.count) { index, laneIndex in
            let (tile, lane) = (tiles[index], self.lanes[laneIndex])
            let out = lane.wide.start  // [tile, ld]: q | k | v from their parts' starts
            self.norm(tile, weights.attentionNorm, lane)
            let mixture = self.mixtures[tile.mixture]
            let matrix = mixture.folded.map { $0[layer].qkv } ?? weights.qkv
            lane.product(
                lane.normed.start, self.shape.hidden, rows: tile.count, matrix, first: first, last: last,
                into: out + first, ld)
            if let bankGroup, mixture.needsBank {
                self.addBank(bankGroup, layer, mixture, lane.normed.start, rows: tile.count, lane) {
                    let start = weights.qkv.starts[$0]
                    return start >= first && start < last ? (out + start, ld) : nil
                }
            }
            self.eachRow(tile, rows) { row, position, span in
                let line = out + (row - tile.row) * ld
                let (cosines, sines) = (self.cosines(at: position), self.sines(at: position))
                if projection != .keysValues {
                    let target = self.q.start + row * headsWidth
                    target.update(from: line, count: headsWidth)
                    pk_rope(target, Int64(self.shape.heads), Int64(self.shape.headDim), cosines, sines)
                }
                if projection != .queries {
                    pk_rope(line + keyStart, Int64(self.shape.kvHeads), Int64(self.shape.headDim), cosines, sines)
                    let block = Int(rows.blocks[span.blocks + position / cacheBlock])
                    self.store(
                        line + keyStart, line + valueStart, layer: layer, block: block, slot: position % cacheBlock,
                        cache)
                }
            }
        }
    }

    /// Offset of a head's keys in a block; its values follow them.
    private func headOffset(_ layer: Int, _ head: Int) -> Int {
        (layer * shape.kvHeads + head) * shape.headBlock
    }

    private func store(
        _ keys: UnsafePointer<Float>, _ values: UnsafePointer<Float>, layer: Int, block: Int, slot: Int,
        _ cache: CPUCache
    ) {
        let d = shape.headDim
        for head in 0..<shape.kvHeads {
            let place = cache.start + block * cache.blockFloats + headOffset(layer, head)
            pk_store_key(place, Int64(d), Int64(slot), keys + head * d)
            pk_store_value(place + d * cacheBlock, Int64(d), Int64(slot), values + head * d)
        }
    }

    public func attend(layer: Int) {
        guard let cache else { return }
        let rows = rows
        let (d, group) = (shape.headDim, shape.group)
        let width = shape.heads * d
        // Long spans are cut, so that one long prompt does not leave threads idle.
        let longest = 64
        var pieces: [(span: Int, from: Int, count: Int)] = []
        for (index, span) in rows.spans.enumerated() {
            for from in stride(from: 0, to: span.count, by: longest) {
                pieces.append((index, from, min(longest, span.count - from)))
            }
        }
        rows.blocks.withUnsafeBufferPointer { blocks in
            pool.run(pieces.count) { index, lane in
                let piece = pieces[index]
                let span = rows.spans[piece.span]
                let row = span.row + piece.from
                for head in 0..<self.shape.kvHeads {
                    let offset = self.headOffset(layer, head)
                    let task = pk_attention(
                        q: self.q.start + row * width + head * group * d,
                        out: self.attention.start + row * width + head * group * d, ldq: Int64(width),
                        ldo: Int64(width), rows: Int64(piece.count), first: Int64(span.position + piece.from),
                        group: Int64(group), d: Int64(d), cache: cache.start,
                        blocks: blocks.baseAddress! + span.blocks, stride: Int64(cache.blockFloats),
                        key_offset: Int64(offset), value_offset: Int64(offset + d * cacheBlock),
                        scale: 1 / Float(d).squareRoot())
                    pk_attend(task, self.lanes[lane].attend.start)
                }
            }
        }
    }

    public func layerOutput(layer: Int, weights: LayerWeights<CPUBackend>) {
        let tiles = tiles
        let (hidden, feedForward) = (shape.hidden, shape.feedForward)
        let width = shape.heads * shape.headDim
        let gatedColumns = (feedForward + 15) / 16 * 32
        let bankLayer = bank.isEmpty ? nil : bank[layer]
        pool.run(tiles.count) { index, laneIndex in
            let (tile, lane) = (tiles[index], self.lanes[laneIndex])
            let mixture = self.mixtures[tile.mixture]
            let x = self.x.start + tile.row * hidden
            let attended = self.attention.start + tile.row * width
            lane.product(
                attended, width, rows: tile.count, mixture.folded.map { $0[layer].o } ?? weights.o, into: x, hidden,
                accumulate: true)
            if let group = bankLayer?.o, mixture.needsBank {
                self.addBank(group, layer, mixture, attended, rows: tile.count, lane) { _ in (x, hidden) }
            }
            self.norm(tile, weights.feedForwardNorm, lane)
            let wide = lane.wide.start  // [tile, ld]
            let ld: Int
            if let group = bankLayer?.gateUp, !mixture.isBase {
                ld = gatedColumns
                lane.product(lane.normed.start, hidden, rows: tile.count, weights.gateUp, into: wide, ld)
                self.addBank(group, layer, mixture, lane.normed.start, rows: tile.count, lane) { _ in (wide, ld) }
                pk_swiglu(wide, Int64(ld), Int64(tile.count), Int64(feedForward), wide, Int64(ld))
            } else {
                // Off the powers of two: rows a multiple of 4 KiB apart would evict each other from the first cache.
                ld = feedForward + 16
                lane.gatedProduct(
                    lane.normed.start, hidden, rows: tile.count, weights.gateUp, n: feedForward, into: wide, ld)
            }
            lane.product(wide, ld, rows: tile.count, weights.down, into: x, hidden, accumulate: true)
            if let group = bankLayer?.down, !mixture.isBase {
                self.addBank(group, layer, mixture, wide, ld, rows: tile.count, lane) { _ in (x, hidden) }
            }
        }
    }

    private func norm(_ tile: Tile, _ weight: [Float], _ lane: Lane) {
        let hidden = Int64(shape.hidden)
        pk_rms_norm(
            x.start + tile.row * shape.hidden, hidden, Int64(tile.count), hidden, weight, shape.normEpsilon,
            lane.normed.start, hidden)
    }

    /// y += ((x A^T) mixed) B^T for each module; `target` says where a module's output lies, nil if it is not computed.
    private func addBank(
        _ group: BankGroup<PackedMatrix>, _ layer: Int, _ mixture: ActiveMixture, _ x: UnsafePointer<Float>,
        _ ldx: Int? = nil, rows: Int, _ lane: Lane, target: (Int) -> (UnsafeMutablePointer<Float>, Int)?
    ) {
        guard let shape = bankShape else { return }
        let low = lane.low.start
        let ld = group.a.columns
        let stacked = shape.slots * shape.rank
        lane.product(x, ldx ?? group.a.width, rows: rows, group.a, into: low, ld)
        for row in 0..<rows {
            pk_mix(
                low + row * ld, Int64(group.outputs.count), Int64(shape.slots), Int64(shape.rank),
                mixture.weights.layers[layer], shape.factors)
        }
        for (module, output) in group.outputs.enumerated() {
            guard let (y, ldy) = target(output.part) else { continue }
            lane.product(low + module * stacked, ld, rows: rows, output.b, into: y, ldy, accumulate: true)
        }
    }

    /// Calls `body` for each row of a tile with its position and span.
    private func eachRow(_ tile: Tile, _ rows: StepRows, _ body: (_ row: Int, _ position: Int, Span) -> Void) {
        var index = tile.span
        for row in tile.row..<(tile.row + tile.count) {
            while row >= rows.spans[index].row + rows.spans[index].count { index += 1 }
            let span = rows.spans[index]
            body(row, span.position + row - span.row, span)
        }
    }
}
