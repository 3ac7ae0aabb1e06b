extension Safetensors {
    /// A float32 tensor to be written.
    public struct Entry: Sendable {
        public let name: String
        public let shape: [Int]
        /// Row-major.
        public let values: [Float]

        public init(_ name: String, _ shape: [Int], _ values: [Float]) {
            precondition(shape.reduce(1, *) == values.count, "a value for every place of the shape")
            self.name = name
            self.shape = shape
            self.values = values
        }
    }

    /// A safetensors file of `entries` in the given order, header padded to a multiple of 8 as PEFT's readers expect;
    /// equal entries give equal bytes. Names are tensor names of ours and need no escaping.
    public static func encoded(_ entries: [Entry]) -> [UInt8] {
        var header = #"{"__metadata__":{"format":"pt"}"#
        var offset = 0
        for entry in entries {
            let end = offset + 4 * entry.values.count
            let shape = entry.shape.map(String.init).joined(separator: ",")
            header += #","\#(entry.name)":{"dtype":"F32","shape":[\#(shape)],"data_offsets":[\#(offset),\#(end)]}"#
            offset = end
        }
        header += "}"
        header += String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + header.utf8.count + offset)
        withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { bytes += $0 }
        bytes += header.utf8
        for entry in entries { entry.values.withUnsafeBytes { bytes += $0 } }
        return bytes
    }
}
