extension Safetensors {
    /// A float32 tensor to be written.
    public struct Entry: Sendable {
        public let name: String
        public let shape: [Int]
        /// Row-major.
        public let values: [Float]

        /// Stops the program unless `shape` has as many places as there are values.
        public init(_ name: String, _ shape: [Int], _ values: [Float]) {
            precondition(shape.reduce(1, *) == values.count, "a value for every place of the shape")
            self.name = name
            self.shape = shape
            self.values = values
        }
    }

    /// A safetensors file of `entries` sorted by name, its header padded so that the numbers are aligned to 8 bytes;
    /// equal entries give equal bytes, in whatever order they come.
    public static func encoded(_ entries: [Entry]) -> [UInt8] {
        let entries = entries.sorted { $0.name < $1.name }
        var header = #"{"__metadata__":{"format":"pt"}"#
        var offset = 0
        for entry in entries {
            let end = offset + 4 * entry.values.count
            let shape = entry.shape.map(String.init).joined(separator: ",")
            header +=
                #",\#(quoted(entry.name)):{"dtype":"F32","shape":[\#(shape)],"data_offsets":[\#(offset),\#(end)]}"#
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

/// `text` as a JSON string.
func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\u{0}"..<"\u{20}":
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
