"""What mean-field theory expects of a gradient's flow, to hold the measurement against."""
