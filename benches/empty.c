/* Does nothing: the cost of any program that is linked like this one. */
int main(void)
{
	return 0;
}
