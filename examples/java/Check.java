import java.util.Arrays;
import java.util.Scanner;

/** Answers `autograd-mini check NAME --run "java Check NAME"`: one line of numbers in, one line of numbers out. */
public class Check {
    public static void main(String[] arguments) {
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            double[] x = Arrays.stream(lines.nextLine().split(" ")).mapToDouble(Double::parseDouble).toArray();
            System.out.println(answer(arguments[0], x));
        }
    }

    static String answer(String name, double[] x) {
        switch (name) {
            case "sigmoid":
                return "value " + Activation.sigmoid(x[0]) + " derivative " + Activation.dSigmoid(x[0]);
            case "tanh":
                return "value " + Activation.tanh(x[0]) + " derivative " + Activation.dTanh(x[0]);
            case "softmax":
                return "value " + text(Activation.softmax(x)) + " argument " + text(x);
            default: // cross_entropy: first the logits, then the target
                double[] z = Arrays.copyOf(x, x.length / 2), t = Arrays.copyOfRange(x, x.length / 2, x.length);
                return "derivative " + text(Activation.dCdz(Activation.softmax(z), t));
        }
    }

    static String text(double[] numbers) {
        return Arrays.toString(numbers);
    }
}
