import Checkpoints
import Compute

/// One call's way through the model: steps of packed rows until every sequence is done.
///
/// What a step holds follows from the plan alone, never from timing.
struct Run<B: Backend> {
    let llama: Llama<B>
    var plan: Plan
    private var table = BlockTable(blocks: 0)
    private var waiting: ArraySlice<Int> = []
    /// Admitted sequences with rows to compute, in the order of admission.
    private var active: [Int] = []
    /// Children of each prefix that are still to be admitted.
    private var heirs: [Int: Int] = [:]
    private var finished = 0
    /// Tokens by which sequences are continued before their ends are looked for.
    private var stride = 1

    init(_ llama: Llama<B>, _ plan: Plan) {
        self.llama = llama
        self.plan = plan
    }

    mutating func go(
        _ mixtures: [Mixture], merge: Merge, progress: ((Progress) -> Void)?
    ) throws(LlamaError) {
        guard !plan.sequences.isEmpty else { return }
        defer { llama.backend.end() }
        let cache = try prepare(mixtures, merge: merge)
        waiting = plan.order[...]
        for sequence in plan.sequences { if let parent = sequence.parent { heirs[parent, default: 0] += 1 } }
        while !waiting.isEmpty || !active.isEmpty {
            let rows = nextStep(cache)
            if let most = continuation(of: rows) {
                let (going, steps) = (active.count, min(stride, most))
                try llama.decode(rows, steps: steps, cache: cache, run: &self)
                llama.totals.steps += steps
                // Tokens after an end are wasted: the more sequences end, the sooner the next look.
                let isQuiet = 8 * (going - active.count) < going
                stride = isQuiet ? min(2 * stride, llama.backend.decodeStride) : max(1, stride / 2)
            } else {
                try llama.step(rows, cache: cache, run: &self)
                llama.totals.steps += 1
            }
            progress?(Progress(finished: finished, total: plan.sequences.count))
        }
        llama.totals.cacheBytes = max(llama.totals.cacheBytes, table.highest * llama.backend.blockBytes(llama.shape))
    }

    /// Takes all the memory that the call needs; where a device has too little, for smaller steps.
    @discardableResult
    mutating func prepare(_ mixtures: [Mixture], merge: Merge) throws(LlamaError) -> B.Cache {
        try llama.withFittingSteps { () throws(LlamaError) in try take(mixtures, merge: merge) }
    }

    private mutating func take(_ mixtures: [Mixture], merge: Merge) throws(LlamaError) -> B.Cache {
        let config = llama.config
        // New tokens end where the model's positions do.
        for index in plan.sequences.indices {
            if case .generate(let most, let sampling) = plan.sequences[index].purpose {
                let room = config.maxPositions - plan.sequences[index].promptCount + 1
                plan.sequences[index].purpose = .generate(maxNewTokens: min(most, room), sampling: sampling)
            }
        }
        let longest = plan.sequences.map(\.longest).max() ?? 1
        llama.makeRoom()
        // Where memory is bounded, all that steps need comes before the cache, once and for all.
        let rows =
            llama.backend.room != nil
            ? llama.tokenBudget
            : min(llama.tokenBudget, plan.sequences.reduce(0) { $0 + $1.promptCount - $1.shared })
        try onDevice { () throws(ComputeError) in
            try llama.backend.reserve(
                rows: max(rows, 1), positions: longest, shape: llama.shape, rotary: config.rotaryFrequencies)
        }
        var weights: [MixtureWeights] = []
        for (index, mixture) in mixtures.enumerated() {
            if let bank = llama.bank {
                weights.append(try bank.weights(mixture, layers: config.layers, place: "mixture \(index + 1)"))
            } else if mixture.isBase {
                weights.append(MixtureWeights(layers: []))
            } else {
                throw LlamaError(
                    .mixture, "mixture \(index + 1)", found: "weights without a bank", remedy: "load adapters first")
            }
        }
        let mixed = weights
        try onDevice { () throws(ComputeError) in
            try llama.backend.setMixtures(
                mixed, rows: plan.rows(mixtures: mixtures.count), bank: llama.bank?.layers ?? [],
                shape: llama.bank.map { BankShape(slots: $0.slots, rank: $0.rank, factors: merge == .factors) },
                weights: llama.layers)
        }
        return try cache()
    }

    /// A cache for as many sequences at once as there is room for.
    private mutating func cache() throws(LlamaError) -> B.Cache {
        let blockBytes = llama.backend.blockBytes(llama.shape)
        let room = llama.backend.room
        let allowed = (room ?? llama.options.cacheBytes) / blockBytes
        let prefixes = plan.sequences.filter { $0.purpose == .prefix }.reduce(0) { $0 + $1.ownBlocks }
        let largest = plan.sequences.map(\.ownBlocks).max() ?? 0
        guard prefixes + largest <= allowed else {
            throw LlamaError(
                .memory, "key-value cache", found: "\((prefixes + largest) * blockBytes >> 20) MiB for one sequence",
                remedy: room.map {
                    "the device has room for \($0 >> 20) MiB; shorten the prompts or take a larger device"
                }
                    ?? "the configuration allows \(llama.options.cacheBytes >> 20) MiB; raise it or shorten the prompts"
            )
        }
        let blocks = min(allowed, plan.sequences.reduce(0) { $0 + $1.ownBlocks })
        table = BlockTable(blocks: blocks)
        if let cache = llama.cache, cache.blocks >= blocks { return cache.storage }
        llama.cache = nil
        let storage = try onDevice { () throws(ComputeError) in
            try llama.backend.cache(blocks: blocks, shape: llama.shape)
        }
        llama.cache = (blocks, storage)
        return storage
    }

    /// Fills a step with rows of active sequences, then of new ones as the token budget and the cache allow.
    private mutating func nextStep(_ cache: B.Cache) -> [(sequence: Int, position: Int, count: Int)] {
        var rows: [(sequence: Int, position: Int, count: Int)] = []
        var room = llama.tokenBudget
        func take(_ index: Int) {
            let sequence = plan.sequences[index]
            let count = min(room, sequence.tokens.count - sequence.cached)
            guard count > 0 else { return }
            rows.append((index, sequence.cached, count))
            room -= count
        }
        for index in active { take(index) }
        while room > 0, let index = waiting.first {
            let sequence = plan.sequences[index]
            if let parent = sequence.parent, plan.sequences[parent].cached < sequence.shared { break }
            guard sequence.ownBlocks <= table.available else { break }
            waiting.removeFirst()
            admit(index, cache)
            take(index)
        }
        // Rows of one mixture lie together, so that they share tiles.
        return rows.sorted {
            (plan.sequences[$0.sequence].mixture, $0.sequence) < (plan.sequences[$1.sequence].mixture, $1.sequence)
        }
    }

    /// By how many tokens all of a step's sequences may be continued; nil if some are not at that yet.
    private func continuation(of rows: [(sequence: Int, position: Int, count: Int)]) -> Int? {
        var most = Int.max
        for row in rows {
            guard row.count == 1, let next = plan.sequences[row.sequence].continuation else { return nil }
            most = min(most, next.most)
        }
        return most
    }

    private mutating func admit(_ index: Int, _ cache: B.Cache) {
        let own = plan.sequences[index].ownBlocks
        table.promise(own)
        plan.sequences[index].promised = own
        active.append(index)
        guard let parent = plan.sequences[index].parent else { return }
        let shared = plan.sequences[index].shared
        let whole = plan.sequences[parent].blocks.prefix(shared / cacheBlock)
        for block in whole { table.share(block) }
        plan.sequences[index].blocks = Array(whole)
        plan.sequences[index].cached = shared
        if shared % cacheBlock != 0 {
            // The block that the prefix ends in is written on, so each heir has its own.
            let block = takeBlock(index)
            llama.backend.copyBlock(cache, from: plan.sequences[parent].blocks[shared / cacheBlock], to: block)
        }
        heirs[parent]! -= 1
        if heirs[parent] == 0 { release(parent) }
    }

    private mutating func takeBlock(_ index: Int) -> Int32 {
        let block = table.take()
        plan.sequences[index].promised -= 1
        plan.sequences[index].blocks.append(block)
        return block
    }

    /// Makes room in the cache for a sequence's rows of this step.
    mutating func extend(_ index: Int, to positions: Int) {
        while plan.sequences[index].blocks.count * cacheBlock < positions { _ = takeBlock(index) }
    }

    private mutating func release(_ index: Int) {
        for block in plan.sequences[index].blocks { table.release(block) }
        table.forgo(plan.sequences[index].promised)
        plan.sequences[index].blocks = []
        plan.sequences[index].promised = 0
    }

    /// Takes note of what came of a sequence's row.
    mutating func take(_ picked: Picked, sequence index: Int) throws(LlamaError) {
        switch picked {
        case .unsound:
            throw LlamaError(
                .notFinite, "logits", found: "NaN, or nothing finite",
                remedy: "the model or an adapter's weights are too large for its numbers")
        case .logits(let logits): plan.sequences[index].logits.append(logits)
        case .logProbability(let value): plan.sequences[index].logprob += value
        case .token(let token):
            llama.totals.decodedTokens += 1
            if llama.config.eos.contains(token) {
                plan.sequences[index].ended = true
            } else {
                plan.sequences[index].tokens.append(token)
            }
        }
    }

    /// Drops the sequences that are done from the next step; `rows` were just computed.
    mutating func settle(_ rows: [(sequence: Int, position: Int, count: Int)]) {
        for row in rows { plan.sequences[row.sequence].cached = row.position + row.count }
        var going: [Int] = []
        for index in active {
            let sequence = plan.sequences[index]
            let isDone: Bool
            if case .generate(let most, _) = sequence.purpose {
                isDone = sequence.ended || sequence.generated.count >= most
            } else {
                isDone = sequence.cached == sequence.tokens.count
            }
            guard isDone else {
                going.append(index)
                continue
            }
            finished += 1
            // A prefix keeps its blocks until its last heir is admitted.
            if sequence.purpose != .prefix { release(index) }
        }
        active = going
    }
}
