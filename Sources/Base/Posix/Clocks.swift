import Glibc

/// Time that only goes forward, unmoved by changes of the date.
public enum MonotonicClock {
    /// Since the machine started, time asleep left out.
    public static func nanoseconds() -> Int64 { Posix.nanoseconds(of: CLOCK_MONOTONIC) }

    public static func seconds() -> Double { Double(nanoseconds()) / 1e9 }
}

/// The date and time, which the machine's clock may set forward and back.
public enum WallClock {
    /// Since 1970.
    public static func nanoseconds() -> Int64 { Posix.nanoseconds(of: CLOCK_REALTIME) }

    /// RFC 3339 in UTC with milliseconds: `2026-11-20T04:05:06.789Z`.
    public static func timestamp(_ nanoseconds: Int64 = nanoseconds()) -> String {
        let (whole, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        var seconds = time_t(rest < 0 ? whole - 1 : whole)
        let fraction = rest < 0 ? rest + 1_000_000_000 : rest
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ value: some BinaryInteger, _ count: Int) -> String {
            let text = String(value)
            return String(repeating: "0", count: max(0, count - text.utf8.count)) + text
        }
        let date = "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))"
        let time = "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))"
        return "\(date)T\(time).\(digits(fraction / 1_000_000, 3))Z"
    }
}

private func nanoseconds(of clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
