// Inputs and right answers of @TASKS@, written by autograd-mini.
// Call your own functions in answer(), then run:  javac @FILE@ && java @STEM@
// If something is wrong, find out which mistake it is:  java @STEM@ @TASK@ | autograd-mini check @TASK@ --csv -
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

public class @STEM@ {
    // Call your own functions here, and leave out what you do not have. a[0] is the first argument: a list of numbers.
    static double[] answer(String name, double[][] a) {
        switch (name) {
@CALLS@
        }
        return null;
    }

    public static void main(String[] arguments) {
        int wrong = 0, lost = 0, right = 0;
        for (String line : LINES) {
            String[] parts = line.split(";", -1);
            if (arguments.length > 0 && !arguments[0].equals(parts[0])) continue;
            double[][] given = lists(parts[1]), argument = lists(parts[1]);
            StringBuilder printed = new StringBuilder("input" + text(given));
            for (int i = 0; i < 2; i++) {
                String what = i == 0 ? "value" : "derivative";
                double[] theirs = answer(parts[0] + (i == 0 ? "" : "'"), argument), ours = lists(parts[2 + i])[0];
                String note = "";
                if (theirs == null) continue;
                printed.append(" ").append(what).append(text(new double[][] {theirs}));
                boolean kink = i == 1 && parts[4].equals("kink"), same = theirs.length == ours.length, close = same;
                for (int j = 0; same && j < ours.length; j++) {
                    boolean equal = Double.compare(theirs[j], ours[j]) == 0 || theirs[j] == ours[j];
                    double error = Math.abs(theirs[j] - ours[j]);
                    same = equal || error <= 1e-9 * Math.abs(ours[j]) || kink;
                    close = close && (same || error <= 1e-15);
                    same = same || error <= 1e-15;
                }
                if (!Arrays.deepEquals(given, argument)) {
                    same = false;
                    note = "; it changes its argument";
                    if (arguments.length > 0) printed.append(" argument").append(text(new double[][] {argument[0]}));
                    argument = lists(parts[1]);
                }
                if (same && close) right++; else if (same) lost++; else wrong++;
                if (!same && arguments.length == 0)
                    System.out.println(parts[0] + ": " + what + " at" + text(given) + " is" + text(new double[][] {theirs})
                        + ", right is" + text(new double[][] {ours}) + note);
            }
            if (arguments.length > 0) System.out.println(printed);
        }
        if (arguments.length > 0) return;
        System.out.println(right + " right, " + lost + " without their last digits, " + wrong + " wrong");
        System.exit(wrong > 0 ? 1 : 0);
    }

    static double[] numbers(double x) { return new double[] {x}; }

    static double[] numbers(double[] xs) { return xs.clone(); }

    static double[] numbers(double[][] rows) {
        return Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
    }

    static double[][] lists(String text) {
        List<double[]> lists = new ArrayList<>();
        for (String list : text.split("\\|"))
            lists.add(Arrays.stream(list.split(" ")).mapToDouble(Double::parseDouble).toArray());
        return lists.toArray(new double[0][]);
    }

    static String text(double[][] lists) {
        StringBuilder text = new StringBuilder();
        for (double[] list : lists) for (double x : list) text.append(" ").append(x);
        return text.toString();
    }

    static final String[] LINES = { // name; arguments; value; derivative; is it a kink, where the derivative is a choice
@LINES@
    };
}
