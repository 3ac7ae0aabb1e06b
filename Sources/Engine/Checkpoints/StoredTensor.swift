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
    var isFinite: Bool { withBytes { Self.isFinite($0, type) } }

    private static func isFinite(_ source: UnsafeRawBufferPointer, _ type: ScalarType) -> Bool {
        switch type {
        case .f32:
            let mask: UInt32 = 0x7f80_0000
            return source.allWords(UInt32.self) { $0 & mask != mask }
        case .bf16:
            let mask: UInt16 = 0x7f80
            return source.allWords(UInt16.self) { $0 & mask != mask }
        case .f16:
            let mask: UInt16 = 0x7c00
            return source.allWords(UInt16.self) { $0 & mask != mask }
        }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether `predicate` holds for every word, at any alignment; without branches inside, so that it vectorises.
    @inline(__always)
    fileprivate func allWords<Word: FixedWidthInteger>(_: Word.Type, _ predicate: (Word) -> Bool) -> Bool {
        let words = count / MemoryLayout<Word>.size
        let block = 4096
        var start = 0
        while start < words {
            var good = true
            for index in start..<Swift.min(start + block, words) {
                let word = loadUnaligned(fromByteOffset: index * MemoryLayout<Word>.size, as: Word.self)
                good = predicate(word) && good
            }
            if !good { return false }
            start += block
        }
        return true
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
