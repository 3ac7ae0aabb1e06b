import FoundationEssentials
import Posix

/// A safetensors file, mapped; every offset, shape and length is checked before this value exists.
public struct Safetensors: Sendable {
    public let path: String
    public let metadata: [String: String]
    private let tensors: [String: StoredTensor]

    public var names: [String] { tensors.keys.sorted() }

    public subscript(name: String) -> StoredTensor? { tensors[name] }

    /// The format's own bound on a header.
    static let largestHeader = 100_000_000

    /// Maps and checks the file at `path`; a symbolic link is refused.
    public init(_ path: String) throws(CheckpointError) {
        self.path = path
        let file: MappedFile
        do {
            file = try MappedFile(path, followLinks: false)
        } catch {
            throw CheckpointError(
                .unreadable, path, found: error.description, remedy: "give a regular file that primed may read")
        }
        let size = file.bytes.count
        guard size >= 8 else {
            throw CheckpointError(
                .truncated, path, found: "\(size) bytes", remedy: "a safetensors file has at least a header of 8")
        }
        let declared = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
        guard declared <= UInt64(Self.largestHeader), Int(declared) <= size - 8 else {
            throw CheckpointError(
                .truncated, "\(path): header", found: "a length of \(declared) in a file of \(size) bytes",
                remedy: "copy the file again; it is cut off or no safetensors file")
        }
        let start = 8 + Int(declared)
        let header = try Self.header(file.bytes[8..<start], path: path)
        var tensors: [String: StoredTensor] = [:]
        for (name, entry) in header.tensors {
            tensors[name] = try Self.tensor(name, entry, file: file, start: start)
        }
        try Self.checkOverlap(tensors.values.sorted { $0.range.lowerBound < $1.range.lowerBound }, path: path)
        self.tensors = tensors
        metadata = header.metadata
    }

    private static func header(
        _ bytes: Slice<UnsafeRawBufferPointer>, path: String
    ) throws(CheckpointError) -> Header {
        let json = [UInt8](bytes)
        guard try nesting(of: json, place: "\(path): header") <= 4 else {
            throw CheckpointError(
                .malformed, "\(path): header", found: "JSON nested deeper than 4", remedy: "write the file again")
        }
        do {
            return try JSONDecoder().decode(Header.self, from: Data(json))
        } catch {
            throw CheckpointError(
                .malformed, "\(path): header", found: describe(error),
                remedy: "each entry needs dtype, shape and data_offsets [begin, end)")
        }
    }

    private static func tensor(
        _ name: String, _ entry: Header.Entry, file: MappedFile, start: Int
    ) throws(CheckpointError) -> StoredTensor {
        let place = "\(file.path): \(printable(name))"
        guard let type = ScalarType(rawValue: entry.dtype) else {
            throw CheckpointError(
                .unsupported, place, found: "dtype \(printable(entry.dtype))", remedy: "store it as F32, F16 or BF16")
        }
        guard entry.shape.count <= 8, entry.shape.allSatisfy({ $0 >= 0 }) else {
            throw CheckpointError(
                .wrongShape, place, found: "shape \(entry.shape)", remedy: "give up to 8 sizes, none negative")
        }
        var length = type.size
        for size in entry.shape {
            let (product, overflow) = length.multipliedReportingOverflow(by: size)
            guard !overflow else {
                throw CheckpointError(
                    .wrongShape, place, found: "shape \(entry.shape), more than a machine can hold",
                    remedy: "write the file again")
            }
            length = product
        }
        let room = file.bytes.count - start
        guard entry.offsets.count == 2, entry.offsets[0] >= 0, entry.offsets[0] <= entry.offsets[1],
            entry.offsets[1] <= room
        else {
            throw CheckpointError(
                .truncated, place, found: "offsets \(entry.offsets) where the file has \(room) bytes of numbers",
                remedy: "copy the file again; it is cut off")
        }
        guard entry.offsets[1] - entry.offsets[0] == length else {
            throw CheckpointError(
                .wrongShape, place,
                found: "\(entry.offsets[1] - entry.offsets[0]) bytes for shape \(entry.shape) of \(entry.dtype)",
                remedy: "that shape needs \(length) bytes")
        }
        return StoredTensor(
            name: name, type: type, shape: entry.shape,
            range: (start + entry.offsets[0])..<(start + entry.offsets[1]), file: file)
    }

    private static func checkOverlap(_ ordered: [StoredTensor], path: String) throws(CheckpointError) {
        for (left, right) in zip(ordered, ordered.dropFirst())
        where left.range.upperBound > right.range.lowerBound && !right.range.isEmpty {
            throw CheckpointError(
                .malformed, path,
                found: "\(printable(left.name)) and \(printable(right.name)) lie on the same bytes",
                remedy: "write the file again; tensors must not overlap")
        }
    }
}

/// The JSON in front of the numbers.
private struct Header: Decodable {
    struct Entry: Decodable {
        let dtype: String
        let shape: [Int]
        let offsets: [Int]

        enum CodingKeys: String, CodingKey {
            case dtype, shape
            case offsets = "data_offsets"
        }
    }

    var metadata: [String: String] = [:]
    var tensors: [String: Entry] = [:]

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: AnyKey.self)
        for key in fields.allKeys {
            if key.stringValue == "__metadata__" {
                metadata = try fields.decode([String: String].self, forKey: key)
            } else {
                tensors[key.stringValue] = try fields.decode(Entry.self, forKey: key)
            }
        }
    }
}
