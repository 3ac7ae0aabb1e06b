/// Which devices of a daemon's slots can be given a job. A value without a clock: times are in seconds of one clock.
struct DeviceStates: Equatable {
    /// Gone until the daemon starts again: their slots stay empty.
    private(set) var lost: Set<String> = []
    private var resting: [String: Rest] = [:]

    /// A device that could not be used, through no fault of a job, and is left alone for a while.
    private struct Rest: Equatable {
        var until: Double
        var pause: Double
    }

    private static let longestRest = 300.0

    /// Those that are left alone now, or were until now and are not known to work again.
    var notReady: [String] { resting.keys.sorted() }

    /// When the next one may be tried again; nil where none rests.
    func nextTry(after time: Double) -> Double? { resting.values.map(\.until).filter { $0 > time }.min() }

    func allow(_ device: String, at time: Double) -> Bool {
        !lost.contains(device) && resting[device].map { $0.until <= time } ?? true
    }

    mutating func lose(_ device: String) { lost.insert(device) }

    /// - Parameter first: seconds of the first rest; each further one is twice as long, 300 s at most.
    /// - Returns: the seconds it rests.
    mutating func rest(_ device: String, first: Double, at time: Double) -> Double {
        let pause = min(Self.longestRest, resting[device].map { 2 * $0.pause } ?? first)
        resting[device] = Rest(until: time + pause, pause: pause)
        return pause
    }

    /// A worker came to use it.
    mutating func works(_ device: String) { resting[device] = nil }
}
