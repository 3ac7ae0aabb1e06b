import CKernels
import Glibc
import Posix

/// The CPU's backend: it needs nothing but the machine and defines what each operation means.
///
/// An operation's rows are cut into tiles, which threads take one by one; a row's result depends on the row and the weights
/// alone, so neither the tiles nor the threads change a bit of it, nor does the batch where the base is asked. Whether a
/// mixture is folded into the weights follows from all rows of the call (`setMixtures`), and its last bits with it.
public final class CPUBackend: Backend, @unchecked Sendable {
    public typealias Matrix = PackedMatrix
    public typealias Vector = [Float]
    public typealias Cache = CPUCache

    let pool: ThreadPool
    /// Weights that come as bf16 stay so when packed; otherwise they are widened once, which is a little faster.
    let keepBF16: Bool
    private(set) var shape = ModelShape(
        hidden: 0, feedForward: 0, layers: 0, heads: 1, kvHeads: 1, headDim: 2, vocabulary: 0, normEpsilon: 0)
    private(set) var lanes: [Lane] = []
    /// Of lanes that have given way to wider or longer ones.
    private var formerProducts = ProductTotals()
    private(set) var x = FloatBuffer(0)  // [rows, hidden], the residual stream
    private(set) var q = FloatBuffer(0)  // [rows, heads * d]
    private(set) var attention = FloatBuffer(0)  // [rows, heads * d]
    private var cosines = FloatBuffer(0)  // [positions, d / 2]
    private var sines = FloatBuffer(0)
    private var positions = 0
    private var rotary: [Double] = []
    var mixtures: [ActiveMixture] = []
    var bank: [BankLayer<PackedMatrix>] = []
    var bankShape: BankShape?
    /// The current rows, cut into tiles.
    private(set) var rows = StepRows()
    private(set) var tiles: [Tile] = []
    private(set) var cache: CPUCache?
    /// Copies of the adapted weights that mixtures were folded into, reused from call to call.
    var foldedLayers: [[FoldedLayer]] = []

    /// Rows of the largest tile: its activations stay in a core's own cache.
    static let tileRows = 192

    /// - Parameters:
    ///   - threads: the caller included; fewer than 1 count as 1.
    ///   - keepBF16: whether weights that come as bf16 stay so; otherwise they are widened to float32.
    public init(threads: Int, keepBF16: Bool) {
        pool = ThreadPool(threads: threads)
        self.keepBF16 = keepBF16
    }

    public var products: ProductTotals {
        lanes.reduce(into: formerProducts) {
            $0.operations += $1.operations
            $0.bytes += $1.productBytes
            $0.threadSeconds += $1.productSeconds
        }
    }

    /// Sums of norms and attention run over as many lanes as the instruction set has; bf16 weights are never folded into.
    public func arithmetic(tokenBudget: Int) -> String {
        "cpu, \(Self.instructionSet), \(keepBF16 ? "weights as stored" : "float32 weights")"
    }

    public var copiedBytes: Int { 0 }

    /// It always does.
    public var measuresProducts: Bool {
        get { true }
        set {}
    }

    public func largeProductRate() -> Double { sgemmRate(threads: pool.threads) }

    public var scratchBytes: Int {
        lanes.reduce(x.bytes + q.bytes + attention.bytes + cosines.bytes + sines.bytes) { $0 + $1.bytes }
            + foldedLayers.reduce(0) { $0 + $1.reduce(0) { $0 + $1.bytes } }
    }

    public func matrix(_ parts: [MatrixPart], width: Int) -> PackedMatrix {
        PackedMatrix(parts, width: width, keepBF16: keepBF16)
    }

    public func gatedMatrix(gate: MatrixPart?, up: MatrixPart?, rows: Int, width: Int) -> PackedMatrix {
        PackedMatrix(gate: gate, up: up, rows: rows, width: width, keepBF16: keepBF16)
    }

    public func vector(_ values: [Float]) -> [Float] { values }

    public func blockBytes(_ shape: ModelShape) -> Int { 4 * shape.blockFloats }

    public var room: Int? { nil }

    public func cache(blocks: Int, shape: ModelShape) -> CPUCache { CPUCache(blocks: blocks, shape: shape) }

    public func copyBlock(_ cache: CPUCache, from source: Int32, to target: Int32) {
        let floats = cache.blockFloats
        (cache.start + Int(target) * floats).update(from: cache.start + Int(source) * floats, count: floats)
    }

    public func reserve(rows: Int, positions: Int, shape: ModelShape, rotary: [Double]) {
        let headsWidth = shape.heads * shape.headDim
        if shape != self.shape || x.count < rows * shape.hidden {
            self.shape = shape
            x = FloatBuffer(rows * shape.hidden)
            q = FloatBuffer(rows * headsWidth)
            attention = FloatBuffer(rows * headsWidth)
            retireLanes()
        }
        if positions > self.positions || rotary != self.rotary { rotate(upTo: positions, rotary) }
        if lanes.isEmpty || lanes[0].positions < positions {
            retireLanes()
            lanes = (0..<pool.threads).map { _ in Lane(shape: shape, positions: positions) }
        }
    }

    private func retireLanes() {
        formerProducts = products
        lanes = []
    }

    /// Tables of the rotation's cosines and sines. Angles are rounded to float32 first, as in the models' training.
    private func rotate(upTo positions: Int, _ rotary: [Double]) {
        self.positions = positions
        self.rotary = rotary
        cosines = FloatBuffer(positions * rotary.count)
        sines = FloatBuffer(positions * rotary.count)
        for position in 0..<positions {
            for (index, frequency) in rotary.enumerated() {
                let angle = Double(Float(position) * Float(frequency))
                cosines.start[position * rotary.count + index] = Float(cos(angle))
                sines.start[position * rotary.count + index] = Float(sin(angle))
            }
        }
    }

    func cosines(at position: Int) -> UnsafePointer<Float> { UnsafePointer(cosines.start + position * rotary.count) }
    func sines(at position: Int) -> UnsafePointer<Float> { UnsafePointer(sines.start + position * rotary.count) }

    public func begin(_ rows: StepRows, cache: CPUCache) {
        self.rows = rows
        self.cache = cache
        tiles = cut(rows)
    }

    public func end() {
        rows = StepRows()
        tiles = []
        cache = nil
        mixtures = []
        bank = []
    }

    public func embed(table: PackedMatrix) {
        let (hidden, rows) = (shape.hidden, rows)
        pool.run((rows.tokens.count + 63) / 64) { block, _ in
            for row in (block * 64)..<min(rows.tokens.count, block * 64 + 64) {
                pk_embed(table.raw, Int64(rows.tokens[row]), self.x.start + row * hidden)
            }
        }
    }

    public func gather(_ rows: [Int]) {
        // Ascending rows never overwrite one that is still to be moved.
        for (target, source) in rows.enumerated() where target != source {
            (x.start + target * shape.hidden).update(from: x.start + source * shape.hidden, count: shape.hidden)
        }
    }

    /// Cuts spans into tiles of one mixture each, small enough that every thread gets several.
    private func cut(_ rows: StepRows) -> [Tile] {
        let share = (rows.count + 4 * pool.threads - 1) / (4 * pool.threads)
        let size = min(Self.tileRows, max(12, (share + 11) / 12 * 12))
        var tiles: [Tile] = []
        for (index, span) in rows.spans.enumerated() {
            var row = span.row
            let end = span.row + span.count
            while row < end {
                if let last = tiles.last, last.mixture == span.mixture, last.count < size {
                    let count = min(size - last.count, end - row)
                    tiles[tiles.count - 1].count += count
                    row += count
                } else {
                    let count = min(size, end - row)
                    tiles.append(Tile(row: row, count: count, mixture: span.mixture, span: index))
                    row += count
                }
            }
        }
        return tiles
    }
}

extension ModelShape {
    /// Floats of one head's keys and values in a block: `[d][32]` and `[ceil(d / 32)][32][32]`.
    var headBlock: Int { headDim * cacheBlock + (headDim + 31) / 32 * 32 * cacheBlock }
    /// Floats of a block of the cache: all layers and heads of 32 tokens.
    var blockFloats: Int { layers * kvHeads * headBlock }
}

/// Consecutive rows of one mixture.
struct Tile {
    var row: Int
    var count: Int
    var mixture: Int
    /// The span that holds the first row.
    var span: Int
}

/// Float32 memory, 64-byte aligned, zeroed lazily by the kernel.
public final class FloatBuffer: @unchecked Sendable {
    public let start: UnsafeMutablePointer<Float>
    public let count: Int
    private let length: Int

    /// Whole pages: at least 4096.
    public var bytes: Int { length }

    /// Room for `count` floats; where the kernel gives none, the program ends.
    public init(_ count: Int) {
        self.count = count
        length = max(4096, (count * 4 + 4095) / 4096 * 4096)
        let memory = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let memory, memory != MAP_FAILED else { fatalError("no memory for \(length) bytes") }
        start = memory.bindMemory(to: Float.self, capacity: length / 4)
    }

    deinit { munmap(start, length) }
}

/// Blocks of keys and values; untouched ones take no memory.
public final class CPUCache: @unchecked Sendable {
    let memory: FloatBuffer
    let blockFloats: Int

    var start: UnsafeMutablePointer<Float> { memory.start }

    init(blocks: Int, shape: ModelShape) {
        blockFloats = shape.blockFloats
        memory = FloatBuffer(blocks * shape.blockFloats)
    }
}

/// A thread's own memory for a tile, and its share of the totals.
final class Lane: @unchecked Sendable {
    let normed: FloatBuffer  // [tile, hidden]
    let wide: FloatBuffer  // [tile, widest product]
    let low: FloatBuffer  // [tile, modules * slots * rank]
    let logits: FloatBuffer  // [12, vocabulary]
    let attend: FloatBuffer
    let positions: Int
    var operations = 0.0
    var productBytes = 0.0
    var productSeconds = 0.0

    /// Stacked ranks that a tile's low-rank rows have room for.
    static let widestLow = 4096

    init(shape: ModelShape, positions: Int) {
        let align = { ($0 + 31) / 32 * 32 }
        let attentionWidth = align(shape.heads * shape.headDim) + 2 * align(shape.kvHeads * shape.headDim)
        let widest = max(attentionWidth, 2 * align(shape.feedForward))
        normed = FloatBuffer(CPUBackend.tileRows * shape.hidden)
        wide = FloatBuffer(CPUBackend.tileRows * (widest + 16))
        low = FloatBuffer(CPUBackend.tileRows * Self.widestLow)
        logits = FloatBuffer(12 * shape.vocabulary)
        attend = FloatBuffer(Int(pk_attend_scratch(Int64(positions), Int64(shape.headDim))))
        self.positions = positions
    }

    var bytes: Int { normed.bytes + wide.bytes + low.bytes + logits.bytes + attend.bytes }

    /// y[rows, n] = silu(gate) * up of a gated matrix.
    func gatedProduct(
        _ x: UnsafePointer<Float>, _ ldx: Int, rows: Int, _ w: PackedMatrix, n: Int,
        into y: UnsafeMutablePointer<Float>, _ ldy: Int
    ) {
        let start = MonotonicClock.seconds()
        pk_matmul_swiglu(x, Int64(ldx), Int64(rows), w.raw, Int64(n), y, Int64(ldy))
        note(rows: rows, w, columns: 2 * n, results: rows * n)
        productSeconds += MonotonicClock.seconds() - start
    }

    /// y[rows, columns] (+)= x w^T: the one place where the engine multiplies.
    func product(
        _ x: UnsafePointer<Float>, _ ldx: Int, rows: Int, _ w: PackedMatrix, first: Int = 0, last: Int? = nil,
        into y: UnsafeMutablePointer<Float>, _ ldy: Int, accumulate: Bool = false
    ) {
        let start = MonotonicClock.seconds()
        let last = last ?? w.columns
        pk_matmul(
            x, Int64(ldx), Int64(rows), w.raw, Int64(first), Int64(last), y, Int64(ldy), accumulate)
        note(rows: rows, w, columns: last - first, results: (accumulate ? 2 : 1) * rows * (last - first))
        productSeconds += MonotonicClock.seconds() - start
    }

    private func note(rows: Int, _ w: PackedMatrix, columns: Int, results: Int) {
        operations += 2 * Double(rows) * Double(w.width) * Double(columns)
        productBytes += Double(4 * (rows * w.width + results) + w.byteCount / w.columns * columns)
    }
}
