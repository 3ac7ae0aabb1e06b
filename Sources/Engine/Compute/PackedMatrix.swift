import CKernels
import Glibc

/// Rows of a weight `[out, in]` as they are stored, to be packed into a matrix.
public struct MatrixPart {
    /// `[rows, in]`, not necessarily aligned; must last until they are packed.
    public let bytes: UnsafeRawBufferPointer
    /// Otherwise float32.
    public let isBF16: Bool
    /// Outputs.
    public let rows: Int

    public init(bytes: UnsafeRawBufferPointer, isBF16: Bool, rows: Int) {
        self.bytes = bytes
        self.isBF16 = isBF16
        self.rows = rows
    }
}

/// A weight packed for products: panels of 32 output columns, float32 or bf16.
public final class PackedMatrix: @unchecked Sendable {
    /// Output columns, gaps included.
    public let columns: Int
    /// Input width.
    public let width: Int
    /// Otherwise float32.
    public let isBF16: Bool
    /// The first column of each part, a multiple of 32.
    public let starts: [Int]
    let panels: UnsafeMutableRawPointer
    /// Bytes of the panels.
    public let byteCount: Int

    /// Packs `parts` beside each other, each from a multiple of 32 on; columns between them give 0.
    public init(_ parts: [MatrixPart], width: Int, keepBF16: Bool) {
        var starts: [Int] = []
        var end = 0
        for part in parts {
            let start = (end + 31) / 32 * 32
            starts.append(start)
            end = start + part.rows
        }
        self.starts = starts
        columns = end
        self.width = width
        isBF16 = keepBF16 && parts.allSatisfy(\.isBF16)
        byteCount = Int(pk_packed_bytes(Int64(end), Int64(width), isBF16))
        panels = Self.zeroed(byteCount)
        for (part, start) in zip(parts, starts) where part.rows > 0 {
            pk_pack(
                part.bytes.baseAddress, part.isBF16, Int64(part.rows), Int64(width), panels, isBF16, Int64(start))
        }
    }

    /// Packs a gate and an up projection of `rows` outputs so that each panel has 16 columns of both; a missing one
    /// gives 0.
    public init(gate: MatrixPart?, up: MatrixPart?, rows: Int, width: Int, keepBF16: Bool) {
        starts = [0, 0]
        columns = (rows + 15) / 16 * 32
        self.width = width
        isBF16 = keepBF16 && [gate, up].allSatisfy { $0?.isBF16 ?? true }
        byteCount = Int(pk_packed_bytes(Int64(columns), Int64(width), isBF16))
        panels = Self.zeroed(byteCount)
        for (part, offset) in [(gate, 0), (up, 16)] {
            guard let part else { continue }
            let rowBytes = width * (part.isBF16 ? 2 : 4)
            for first in stride(from: 0, to: rows, by: 16) {
                pk_pack(
                    part.bytes.baseAddress! + first * rowBytes, part.isBF16, Int64(min(16, rows - first)),
                    Int64(width), panels, isBF16, Int64(2 * first + offset))
            }
        }
    }

    /// A float32 copy that low-rank products can be folded into.
    init(copy other: PackedMatrix) {
        precondition(!other.isBF16, "only float32 panels are folded into")
        columns = other.columns
        width = other.width
        isBF16 = false
        starts = other.starts
        byteCount = other.byteCount
        panels = Self.zeroed(byteCount)
        restore(from: other)
    }

    deinit { free(panels) }

    func restore(from other: PackedMatrix) { panels.copyMemory(from: other.panels, byteCount: byteCount) }

    /// The numbers of float32 panels as `[width, columns]`.
    func byInput() -> [Float] {
        precondition(!isBF16, "only float32 panels are read")
        let source = panels.assumingMemoryBound(to: Float.self)
        return [Float](unsafeUninitializedCapacity: width * columns) { numbers, count in
            guard let target = numbers.baseAddress else { return }
            for first in stride(from: 0, to: columns, by: 32) {
                for i in 0..<width {
                    (target + i * columns + first).initialize(
                        from: source + first * width + i * 32, count: min(32, columns - first))
                }
            }
            count = width * columns
        }
    }

    var raw: pk_matrix { pk_matrix(panels: panels, n: Int64(columns), k: Int64(width), bf16: isBF16) }

    private static func zeroed(_ bytes: Int) -> UnsafeMutableRawPointer {
        let size = (max(bytes, 64) + 63) / 64 * 64
        guard let memory = aligned_alloc(64, size) else { fatalError("no memory for \(size) bytes of weights") }
        memset(memory, 0, size)
        return memory
    }
}
