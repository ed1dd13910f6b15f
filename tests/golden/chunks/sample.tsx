import React from "react";

interface Props {
  title: string;
}

/** A heading. */
export const Heading: React.FC<Props> = ({ title }) => {
  const onClick = () => console.log(title);
  return <h1 onClick={onClick}>{title}</h1>;
};

export function Page(props: Props) {
  return (
    <main>
      <Heading title={props.title} />
    </main>
  );
}

class Old extends React.Component<Props> {
  render() {
    return <p>{this.props.title}</p>;
  }
}
