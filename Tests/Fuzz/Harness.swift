/// The fuzzer's way in, for harness.c.
nonisolated(unsafe) private var feeder: Feeder?

/// The number of the reader called `name`, -1 if there is none.
@_cdecl("fuzz_reader") public func fuzzReader(_ name: UnsafePointer<CChar>) -> Int32 {
    feeder = Feeder()
    return Int32(Reader.allCases.firstIndex { $0.rawValue == String(cString: name) } ?? -1)
}

/// Feeds the reader of that number; traps on a surprise.
@_cdecl("fuzz_read") public func fuzzRead(_ reader: Int32, _ data: UnsafePointer<UInt8>?, _ size: Int) {
    do throws(Surprise) {
        _ = try feeder!.feed(Array(UnsafeBufferPointer(start: data, count: size)), to: Reader.allCases[Int(reader)])
    } catch {
        fatalError(error.description)
    }
}
