package evidence

// Build makes a file that may not hold.
var Build = build
