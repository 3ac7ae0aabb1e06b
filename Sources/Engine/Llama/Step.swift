import Compute

extension Llama {
    /// Runs the rows through the model and hands what was wanted of them back to `run`.
    func step(
        _ parts: [(sequence: Int, position: Int, count: Int)], cache: B.Cache, run: inout Run<B>
    ) throws(LlamaError) {
        let rows = pack(parts, &run)
        backend.begin(rows, cache: cache)
        backend.embed(table: embedding)
        for layer in 0..<(config.layers - 1) { wholeLayer(layer) }
        let needed = needed(parts, run)
        lastLayer(rows, needed, cache: cache)
        try hand(needed, to: &run)
        totals.prefillTokens += parts.reduce(0) { $0 + ($1.count > 1 ? $1.count : 0) }
        run.settle(parts)
    }

    /// Continues sequences of which every last token alone is missing in the cache by `steps` tokens each, or to their ends.
    func decode(
        _ parts: [(sequence: Int, position: Int, count: Int)], steps: Int, cache: B.Cache, run: inout Run<B>
    ) throws(LlamaError) {
        for part in parts { run.extend(part.sequence, to: part.position + steps) }
        let rows = pack(parts, &run)
        let sequences = parts.map { run.plan.sequences[$0.sequence] }
        let picks = (0..<steps).map { step in
            sequences.compactMap { $0.continuation?.sampling.pick(step: $0.generated.count + step) }
        }
        let picked = try onDevice { () throws(ComputeError) in
            try backend.decode(rows, cache: cache, picks: picks, norm: finalNorm, head: head) {
                backend.embed(table: embedding)
                for layer in 0..<config.layers { wholeLayer(layer) }
            }
        }
        for results in picked {
            for (part, result) in zip(parts, results) where !run.plan.sequences[part.sequence].ended {
                try run.take(result, sequence: part.sequence)
            }
        }
        run.settle(parts.map { ($0.sequence, $0.position, steps) })
    }

    private func wholeLayer(_ layer: Int) {
        backend.attentionInput(layer: layer, weights: layers[layer], projection: .all)
        backend.attend(layer: layer)
        backend.layerOutput(layer: layer, weights: layers[layer])
    }

    /// A row that goes past the last layer's keys and values.
    private struct Needed {
        var row: Int
        var sequence: Int
        var position: Int
        /// nil where the hidden state itself is wanted.
        var pick: Pick?
    }

    private func pack(_ parts: [(sequence: Int, position: Int, count: Int)], _ run: inout Run<B>) -> StepRows {
        var rows = StepRows()
        for part in parts {
            run.extend(part.sequence, to: part.position + part.count)
            let sequence = run.plan.sequences[part.sequence]
            rows.spans.append(
                Span(
                    row: rows.tokens.count, count: part.count, position: part.position, blocks: rows.blocks.count,
                    mixture: sequence.mixture))
            rows.tokens += sequence.tokens[part.position..<(part.position + part.count)]
            rows.blocks += sequence.blocks
        }
        return rows
    }

    private func needed(_ parts: [(sequence: Int, position: Int, count: Int)], _ run: Run<B>) -> [Needed] {
        var needed: [Needed] = []
        var row = 0
        for part in parts {
            let sequence = run.plan.sequences[part.sequence]
            for position in part.position..<(part.position + part.count) {
                let pick = sequence.pick(at: position)
                if pick != nil || sequence.isEmbedded {
                    needed.append(Needed(row: row, sequence: part.sequence, position: position, pick: pick))
                }
                row += 1
            }
        }
        return needed
    }

    private func lastLayer(_ rows: StepRows, _ needed: [Needed], cache: B.Cache) {
        let layer = config.layers - 1
        guard needed.count < rows.count else {
            wholeLayer(layer)
            return
        }
        backend.attentionInput(layer: layer, weights: layers[layer], projection: .keysValues)
        guard !needed.isEmpty else { return }
        var kept = StepRows(blocks: rows.blocks)
        var index = 0
        for (row, need) in needed.enumerated() {
            while need.row >= rows.spans[index].row + rows.spans[index].count { index += 1 }
            let span = rows.spans[index]
            if let last = kept.spans.last, last.blocks == span.blocks, last.position + last.count == need.position {
                kept.spans[kept.spans.count - 1].count += 1
            } else {
                kept.spans.append(
                    Span(row: row, count: 1, position: need.position, blocks: span.blocks, mixture: span.mixture))
            }
        }
        backend.gather(needed.map(\.row))
        backend.begin(kept, cache: cache)
        backend.attentionInput(layer: layer, weights: layers[layer], projection: .queries)
        backend.attend(layer: layer)
        backend.layerOutput(layer: layer, weights: layers[layer])
    }

    private func hand(_ needed: [Needed], to run: inout Run<B>) throws(LlamaError) {
        let picks = needed.compactMap(\.pick)
        if picks.count == needed.count {
            let picked = try onDevice { () throws(ComputeError) in
                try backend.pick(picks, norm: finalNorm, head: head)
            }
            for (need, result) in zip(needed, picked) { try run.take(result, sequence: need.sequence) }
            return
        }
        // Embedding calls want hidden states only; the two never share a call.
        let states = try onDevice { () throws(ComputeError) in
            try backend.hidden(rows: needed.count, norm: finalNorm)
        }
        for (need, state) in zip(needed, states) {
            guard state.allSatisfy(\.isFinite) else { try run.take(.unsound, sequence: need.sequence); continue }
            if run.plan.sequences[need.sequence].hidden.isEmpty {
                run.plan.sequences[need.sequence].hidden = Array(repeating: 0, count: state.count)
            }
            for (index, value) in state.enumerated() {
                run.plan.sequences[need.sequence].hidden[index] += Double(value)
            }
        }
    }
}
