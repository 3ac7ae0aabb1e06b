import JSON
import Posix

/// How a tensor's numbers are stored.
public enum ScalarType: String, Sendable, Equatable {
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"

    /// Bytes a number.
    public var size: Int { self == .f32 ? 4 : 2 }
}

/// A tensor in a mapped file, row-major and little-endian.
public struct StoredTensor: Sendable {
    public let name: String
    public let type: ScalarType
    public let shape: [Int]
    /// Absolute range in the file; it lies within the file.
    let range: Range<Int>
    let file: MappedFile

    /// The raw numbers, not necessarily aligned; whoever uses them keeps this value alive meanwhile.
    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: file.bytes[range]) }

    /// Gives the raw numbers to `body`, mapped at least until it returns.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        file.withBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// Numbers in the tensor.
    public var count: Int { range.count / type.size }

    /// The file's path and the tensor's name, for messages.
    public var place: String { "\(file.path): \(printable(name))" }

    /// The numbers as floats; bf16 and f16 are widened exactly.
    public func floats() -> [Float] {
        [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            copy(to: buffer)
            initialized = count
        }
    }

    /// Widens the numbers into `target`, which holds at least `count`.
    public func copy(to target: UnsafeMutableBufferPointer<Float>) {
        withBytes { widen($0, to: target) }
    }

    private func widen(_ source: UnsafeRawBufferPointer, to target: UnsafeMutableBufferPointer<Float>) {
        switch type {
        case .f32:
            UnsafeMutableRawBufferPointer(target).copyMemory(from: source)
        case .bf16:
            for index in 0..<count {
                let half = source.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
                target[index] = Float(bitPattern: UInt32(half) << 16)
            }
        case .f16:
            for index in 0..<count {
                target[index] = widened(half: source.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
            }
        }
    }

    /// Lets the kernel take the tensor's pages out of this process's memory; they are read again when they are used.
    /// Call it when the numbers have been copied, so that a model does not count twice.
    public func releasePages() { file.release(range) }

    /// Whether every number is finite: an all-ones exponent is NaN or infinity in each of the types.
    ///
    /// Eight bytes at a time: the exponent alone, plus its lowest bit, reaches the sign's place only if it is all ones.
    var isFinite: Bool {
        let (exponent, lowest, sign): (UInt64, UInt64, UInt64) =
            switch type {
            case .f32: (0x7f80_0000_7f80_0000, 0x0080_0000_0080_0000, 0x8000_0000_8000_0000)
            case .bf16: (0x7f80_7f80_7f80_7f80, 0x0080_0080_0080_0080, 0x8000_8000_8000_8000)
            case .f16: (0x7c00_7c00_7c00_7c00, 0x0400_0400_0400_0400, 0x8000_8000_8000_8000)
            }
        return withBytes { bytes in
            let whole = bytes.count / 8
            var reached: UInt64 = 0
            for index in 0..<whole {
                reached |= (bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self) & exponent) &+ lowest
            }
            var rest: UInt64 = 0
            for byte in bytes[(8 * whole)...].reversed() { rest = rest << 8 | UInt64(byte) }
            reached |= (rest & exponent) &+ lowest
            return reached & sign == 0
        }
    }
}

/// IEEE half precision, subnormals included.
private func widened(half bits: UInt16) -> Float {
    let sign: Float = bits & 0x8000 == 0 ? 1 : -1
    let exponent = Int(bits >> 10) & 0x1f
    let fraction = Float(bits & 0x3ff)
    switch exponent {
    case 0: return sign * fraction * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default: return sign * (1 + fraction * 0x1p-10) * Float(sign: .plus, exponent: exponent - 15, significand: 1)
    }
}
