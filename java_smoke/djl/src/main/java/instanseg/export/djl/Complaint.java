package instanseg.export.djl;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What libtorch complains about, in one line, without its tracebacks. */
final class Complaint {

    private static final Pattern RAISED = Pattern.compile("(?m)^(?:builtins\\.)?\\w*Error: (.+)$");

    private Complaint() {}

    /** What the model raised, which libtorch says last; else the first line of the innermost message. */
    static String of(Throwable error) {
        String message = String.valueOf(error.getMessage());
        for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) {
            if (cause.getMessage() != null) {
                message = cause.getMessage();
            }
        }
        String complaint = message.lines().filter(line -> !line.isBlank()).findFirst().orElse(message);
        for (Matcher raised = RAISED.matcher(message); raised.find(); ) {
            complaint = raised.group(1);
        }
        return complaint.strip();
    }
}
