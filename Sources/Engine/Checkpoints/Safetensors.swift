import JSON
import Posix

/// A safetensors file, mapped; every offset, shape and length is checked before this value exists.
public struct Safetensors: Sendable {
    public let path: String
    private let tensors: [String: StoredTensor]

    /// The tensors' names in order.
    public var names: [String] { tensors.keys.sorted() }

    public subscript(name: String) -> StoredTensor? { tensors[name] }

    /// Stricter than the format's 100 MB: 16 MB describe 100,000 tensors.
    static let largestHeader = 16 << 20

    /// Maps and checks the file at `path`; a symbolic link is refused.
    public init(_ path: String) throws(CheckpointError) {
        self.path = path
        let file = try map(path)
        let start = try Self.headerEnd(of: file)
        var tensors: [String: StoredTensor] = [:]
        let header = try file.withBytes { (bytes) throws(CheckpointError) in
            try readJSON(UnsafeRawBufferPointer(rebasing: bytes[8..<start]), place: "\(path): header")
        }
        for member in header.object.members {
            let place = "\(path): \(printable(member.key))"
            guard case .object(let object) = member.value else {
                throw CheckpointError(.malformed, place, found: member.value.summary, remedy: Self.entryWords)
            }
            let entry = JSONFields(place: place, object: object)
            if member.key == "__metadata__" {
                _ = try entry.texts()
            } else {
                tensors[member.key] = try Self.tensor(member.key, entry, file: file, start: start)
            }
        }
        try Self.checkOverlap(of: tensors.values, path: path)
        self.tensors = tensors
    }

    /// Where the numbers begin.
    private static func headerEnd(of file: MappedFile) throws(CheckpointError) -> Int {
        let size = file.bytes.count
        guard size >= 8 else {
            throw CheckpointError(
                .truncated, file.path, found: "\(size) bytes", remedy: "a safetensors file has at least a header of 8")
        }
        let length = file.withBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
        guard length <= UInt64(largestHeader), Int(length) <= size - 8 else {
            throw CheckpointError(
                .truncated, "\(file.path): header", found: "a length of \(length) in a file of \(size) bytes",
                remedy: "copy the file again; it is cut off or no safetensors file (at most \(largestHeader))")
        }
        return 8 + Int(length)
    }

    private static let entryWords = "each entry needs dtype, shape and data_offsets [begin, end)"

    private static func tensor(
        _ name: String, _ entry: JSONFields, file: MappedFile, start: Int
    ) throws(CheckpointError) -> StoredTensor {
        let place = entry.place
        guard let dtype = try entry.text("dtype"), let shape = try entry.integers("shape"),
            let offsets = try entry.integers("data_offsets"), offsets.count == 2
        else {
            throw CheckpointError(.malformed, place, found: "an incomplete entry", remedy: entryWords)
        }
        guard let type = ScalarType(rawValue: dtype) else {
            throw CheckpointError(
                .unsupported, place, found: "dtype \(printable(dtype))", remedy: "store it as F32, F16 or BF16")
        }
        guard shape.count <= 8, shape.allSatisfy({ $0 >= 0 }) else {
            throw CheckpointError(
                .wrongShape, place, found: shape.count > 8 ? "\(shape.count) sizes" : "shape \(shape)",
                remedy: "give up to 8 sizes, none negative")
        }
        var length = type.size
        for size in shape {
            let (product, overflow) = length.multipliedReportingOverflow(by: size)
            guard !overflow else {
                throw CheckpointError(
                    .wrongShape, place, found: "shape \(shape), more than a machine can hold",
                    remedy: "write the file again")
            }
            length = product
        }
        let room = file.bytes.count - start
        guard offsets[0] >= 0, offsets[0] <= offsets[1], offsets[1] <= room else {
            throw CheckpointError(
                .truncated, place, found: "offsets \(offsets) where the file has \(room) bytes of numbers",
                remedy: "copy the file again; it is cut off")
        }
        guard offsets[1] - offsets[0] == length else {
            throw CheckpointError(
                .wrongShape, place,
                found: "\(offsets[1] - offsets[0]) bytes for shape \(shape) of \(type.rawValue)",
                remedy: "that shape needs \(length) bytes")
        }
        return StoredTensor(
            name: name, type: type, shape: shape,
            range: (start + offsets[0])..<(start + offsets[1]), file: file)
    }

    /// Gaps between tensors are harmless, shared bytes are not: a writer that overlaps has its offsets wrong.
    private static func checkOverlap(of tensors: some Sequence<StoredTensor>, path: String) throws(CheckpointError) {
        let ordered = tensors.filter { !$0.range.isEmpty }
            .sorted { ($0.range.lowerBound, $0.name) < ($1.range.lowerBound, $1.name) }
        for (left, right) in zip(ordered, ordered.dropFirst()) where left.range.upperBound > right.range.lowerBound {
            throw CheckpointError(
                .malformed, path,
                found: "\(printable(left.name)) and \(printable(right.name)) lie on the same bytes",
                remedy: "write the file again; tensors must not overlap")
        }
    }
}
