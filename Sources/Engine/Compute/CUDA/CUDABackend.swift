import CCUDA
import Glibc

/// NVIDIA's GPUs: products on cuBLAS, the rest in kernels that NVRTC compiles for the card.
///
/// Weights and activations are bf16 or float32 throughout, the residual stream and all sums float32.
public final class CUDABackend: Backend, @unchecked Sendable {
    public let device: CUDADevice
    let isBF16: Bool
    private let cacheFolder: String?
    var kernels: CUDAKernels?
    private(set) var shape = ModelShape(
        hidden: 0, feedForward: 0, layers: 0, heads: 1, kvHeads: 1, headDim: 2, vocabulary: 0, normEpsilon: 0)
    var buffers: Buffers?
    var staging: Staging?
    private var rotation: Rotation?
    var mixing: Mixing?
    var mixtureRooms: MixtureRooms?
    var graphs = Graphs()
    private var uploads: Uploads?
    var step = Step()
    public internal(set) var products = ProductTotals()
    public var measuresProducts = false
    /// Events before and after each product since the last wait.
    var timings: [(start: pcu_event, end: pcu_event)] = []

    /// Bytes that a number takes.
    var valueBytes: Int { isBF16 ? 2 : 4 }

    /// - Parameters:
    ///   - isBF16: multiply in bf16; otherwise in float32.
    ///   - cacheFolder: where compiled kernels are kept.
    public init(_ device: CUDADevice, isBF16: Bool, cacheFolder: String?) {
        self.device = device
        self.isBF16 = isBF16
        self.cacheFolder = cacheFolder
    }

    /// cuBLAS chooses a product's kernel by the card and the number of rows; how many go together follows from the token
    /// budget and the memory.
    public func arithmetic(tokenBudget: Int) -> String {
        "cuda, \(isBF16 ? "bf16" : "float32"), \(device.arithmetic), steps of \(tokenBudget) rows"
    }

    public var copiedBytes: Int { device.copiedBytes }

    public var scratchBytes: Int {
        (buffers?.bytes ?? 0) + (rotation?.place.count ?? 0) + (staging?.capacity ?? 0) + (mixtureRooms?.bytes ?? 0)
    }

    // MARK: - Memory

    /// A weight `[rows, width]` in the backend's number format, parts one under the other.
    public final class Matrix {
        let place: Arena.Place
        let rows: Int
        let width: Int
        /// The first row of each part.
        let starts: [Int]

        init(_ place: Arena.Place, rows: Int, width: Int, starts: [Int]) {
            self.place = place
            self.rows = rows
            self.width = width
            self.starts = starts
        }
    }

    /// Float32 numbers, for norms.
    public final class Vector {
        let place: Arena.Place

        init(_ place: Arena.Place) { self.place = place }
    }

    /// Blocks of keys and values: [block][layer][key-value head][keys, values][32 tokens][padded head].
    public final class Cache {
        let place: Arena.Place

        init(_ place: Arena.Place) { self.place = place }
    }

    /// The rows' buffers for steps of up to `rows` rows.
    struct Buffers {
        let rows: Int
        let x: Arena.Place  // [rows, hidden], float32
        let spare: Arena.Place  // the same, to gather into
        let normed: Arena.Place  // [rows, hidden]
        let qkv: Arena.Place  // [rows, (heads + 2 kvHeads) * d]
        let attended: Arena.Place  // [rows, heads * d]
        let gated: Arena.Place  // [rows, 2 * feedForward]
        let activated: Arena.Place  // [rows, feedForward]
        let logits: Arena.Place  // [logitRows, vocabulary], float32
        let logitRows: Int

        var bytes: Int {
            [x, spare, normed, qkv, attended, gated, activated, logits].reduce(0) { $0 + $1.count }
        }
    }

    /// Rotation's tables, [positions, d / 2] each.
    private struct Rotation {
        let place: Arena.Place
        let positions: Int
        let rotary: [Double]
    }

    /// Logits are made for so many bytes of rows at a time.
    private static let logitBytes = 256 << 20

    public func reserve(rows: Int, positions: Int, shape: ModelShape, rotary: [Double]) throws(ComputeError) {
        if kernels == nil || shape.headDim != self.shape.headDim {
            kernels = try CUDAKernels(device, headDim: shape.headDim, bf16: isBF16, cacheFolder: cacheFolder)
        }
        guard shape.group <= Int(PCU_LINES) else {
            throw ComputeError(
                .unsupported, device.place, found: "\(shape.group) heads on one key-value head",
                remedy: "the GPU's kernels take up to \(PCU_LINES); use the CPU")
        }
        if shape != self.shape || rows > (buffers?.rows ?? 0) {
            self.shape = shape
            buffers = nil
            func take(_ columns: Int, _ bytes: Int, _ use: String) throws(ComputeError) -> Arena.Place {
                try device.take(rows * columns * bytes, for: use)
            }
            let (value, width) = (valueBytes, shape.heads * shape.headDim)
            let logitRows = max(1, min(rows, Self.logitBytes / (4 * shape.vocabulary)))
            buffers = Buffers(
                rows: rows, x: try take(shape.hidden, 4, "rows"), spare: try take(shape.hidden, 4, "rows"),
                normed: try take(shape.hidden, value, "rows"),
                qkv: try take(width + 2 * shape.kvHeads * shape.headDim, value, "queries, keys and values"),
                attended: try take(width, value, "attention"),
                gated: try take(2 * shape.feedForward, value, "the feed-forward's rows"),
                activated: try take(shape.feedForward, value, "the feed-forward's rows"),
                logits: try device.take(logitRows * shape.vocabulary * 4, for: "logits"), logitRows: logitRows)
        }
        // In few sizes, so that what comes later in memory seldom moves.
        var longest = 512
        while longest < positions { longest *= 2 }
        if rotation.map({ $0.positions < longest || $0.rotary != rotary }) ?? true {
            try rotate(upTo: longest, rotary)
        }
        // Twice a step's rows, tokens, pieces and sources, and every sequence's blocks; picks, draws and what came of them.
        let perRow = 2 * (MemoryLayout<pcu_row>.stride + 2 * MemoryLayout<pcu_piece>.stride + 8)
        let blocks = 2 * 4 * (longest / cacheBlock + 1)
        let picks = MemoryLayout<pcu_pick>.stride + (Int(PCU_STRIDE) + 1) * (MemoryLayout<pcu_picked>.stride + 8)
        let needed = rows * (perRow + blocks + picks) + 4096
        if needed > (staging?.capacity ?? 0) {
            staging = nil
            staging = try Staging(device, bytes: needed)
        }
    }

    public func letGo() {
        (buffers, staging, rotation, mixtureRooms, mixing) = (nil, nil, nil, nil, nil)
    }

    /// Angles are rounded to float32 first, as in the models' training.
    private func rotate(upTo positions: Int, _ rotary: [Double]) throws(ComputeError) {
        rotation = nil
        let angles = (0..<positions).flatMap { position in rotary.map { Double(Float(position) * Float($0)) } }
        let place = try device.take(8 * angles.count, for: "the rotation's tables")
        try upload(angles.map { Float(cos($0)) } + angles.map { Float(sin($0)) }, to: place)
        rotation = Rotation(place: place, positions: positions, rotary: rotary)
    }

    var cosines: UInt64 { rotation?.place.address ?? 0 }
    var sines: UInt64 { cosines + UInt64(rotation.map { 4 * $0.positions * $0.rotary.count } ?? 0) }

    func upload<Number>(_ numbers: [Number], to place: Arena.Place) throws(ComputeError) {
        let bytes = numbers.count * MemoryLayout<Number>.stride
        guard bytes > 0 else { return }
        numbers.withUnsafeBytes { source in
            device.copyIn(source.baseAddress!, bytes, to: place.address, of: "numbers")
            // The source may go when this returns.
            device.queue("cuStreamSynchronize") { $0.wait_stream(device.stream) }
        }
        if let failure = device.failure { throw failure }
    }

    // MARK: - Weights

    public func matrix(_ parts: [MatrixPart], width: Int) throws(ComputeError) -> Matrix {
        var starts: [Int] = []
        var rows = 0
        for part in parts {
            starts.append(rows)
            rows += part.rows
        }
        let place = try device.take(rows * width * valueBytes, for: "weights")
        for (part, start) in zip(parts, starts) where part.rows > 0 {
            try upload(part, width: width, to: place.address + UInt64(start * width * valueBytes))
        }
        return Matrix(place, rows: rows, width: width, starts: starts)
    }

    /// The gate's rows, then the up projection's; a missing one takes none.
    public func gatedMatrix(
        gate: MatrixPart?, up: MatrixPart?, rows: Int, width: Int
    ) throws(ComputeError) -> Matrix {
        try matrix([gate, up].compactMap(\.self), width: width)
    }

    public func vector(_ values: [Float]) throws(ComputeError) -> Vector {
        let place = try device.take(4 * values.count, for: "weights")
        try upload(values, to: place)
        return Vector(place)
    }

    private func upload(_ part: MatrixPart, width: Int, to address: UInt64) throws(ComputeError) {
        if uploads == nil { uploads = try Uploads(device) }
        try uploads?.copy(part.rows * width, valueBytes: valueBytes, to: address) { range, target in
            convert(part, range, to: target)
        }
    }

    /// Stored numbers in the backend's format.
    private func convert(_ part: MatrixPart, _ range: Range<Int>, to target: UnsafeMutableRawPointer) {
        let source = part.bytes.baseAddress! + range.lowerBound * (part.isBF16 ? 2 : 4)
        if part.isBF16 == isBF16 {
            target.copyMemory(from: source, byteCount: range.count * valueBytes)
        } else if isBF16 {
            for index in 0..<range.count {
                let value = source.loadUnaligned(fromByteOffset: 4 * index, as: Float.self)
                target.storeBytes(of: roundedToBF16(value), toByteOffset: 2 * index, as: UInt16.self)
            }
        } else {
            for index in 0..<range.count {
                let half = source.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
                target.storeBytes(of: UInt32(half) << 16, toByteOffset: 4 * index, as: UInt32.self)
            }
        }
    }

    // MARK: - Cache

    /// Numbers of a layer's part of a block.
    private func layerValues(_ shape: ModelShape) -> Int {
        shape.kvHeads * 2 * cacheBlock * ((shape.headDim + 15) / 16 * 16)
    }

    var blockValues: Int { shape.layers * layerValues(shape) }

    /// Where a layer's part of the cache's first block lies.
    func layerAddress(_ layer: Int) -> UInt64 {
        (step.cache?.place.address ?? 0) + UInt64(layer * layerValues(shape) * valueBytes)
    }

    public func blockBytes(_ shape: ModelShape) -> Int { shape.layers * layerValues(shape) * valueBytes }

    public var room: Int? { device.arena.room }

    public func cache(blocks: Int, shape: ModelShape) throws(ComputeError) -> Cache {
        Cache(try device.take(blocks * blockBytes(shape), for: "keys and values"))
    }

    public func copyBlock(_ cache: Cache, from source: Int32, to target: Int32) {
        let bytes = blockBytes(shape)
        let start = cache.place.address
        device.queue("cuMemcpyDtoDAsync of a block") {
            $0.copy_within(
                start + UInt64(Int(target) * bytes), start + UInt64(Int(source) * bytes), bytes, device.stream)
        }
    }

    // MARK: - Products

    /// y[rows, columns] = x w^T + beta y, the weight's rows `first..<last`: the one place where the engine multiplies.
    ///
    /// - Parameters:
    ///   - ldx, ldy: numbers from a row to the next.
    ///   - isWide: whether y is float32 rather than the backend's format.
    func product(
        _ x: UInt64, _ ldx: Int, rows: Int, _ w: Matrix, first: Int = 0, last: Int? = nil, into y: UInt64, _ ldy: Int,
        isWide: Bool = false, accumulate: Bool = false
    ) {
        let columns = (last ?? w.rows) - first
        guard rows > 0, columns > 0 else { return }
        let format: Int32 = isBF16 ? 14 : 0  // CUDA_R_16BF, CUDA_R_32F
        let (one, beta): (Float, Float) = (1, accumulate ? 1 : 0)
        let start = beginTiming()
        // cuBLAS counts columns first: y^T = w x^T.
        device.queue(
            blas: "cublasGemmEx of [\(rows), \(w.width)] by [\(columns), \(w.width)], rows \(ldx) and \(ldy) apart"
        ) { blas in
            withUnsafePointer(to: one) { one in
                withUnsafePointer(to: beta) { beta in
                    blas.gemm(
                        device.blas, 1, 0, Int32(columns), Int32(rows), Int32(w.width), one,
                        w.place.address + UInt64(first * w.width * valueBytes), format, Int32(w.width), x, format,
                        Int32(ldx), beta, y, isWide ? 0 : format, Int32(ldy), 68, -1)  // CUBLAS_COMPUTE_32F, default
                }
            }
        }
        endTiming(start)
        products.operations += 2 * Double(rows) * Double(columns) * Double(w.width)
        let results = (isWide ? 4 : valueBytes) * (accumulate ? 2 : 1) * rows * columns
        products.bytes += Double((rows + columns) * w.width * valueBytes + results)
    }
}
